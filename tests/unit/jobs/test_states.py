"""The state machine: terminal states stay, and the drawn table is the real one."""

import re
from pathlib import Path

import pytest

from app.jobs.states import RULES, TERMINAL, JobState, Trigger

PAGE = Path(__file__).parents[3] / "docs" / "job_states.md"


def test_only_a_person_leads_out_of_a_terminal_state():
    leaving = {trigger for trigger, rule in RULES.items() if rule.sources & TERMINAL}
    assert leaving == {Trigger.RETRY_BY_HAND}
    assert RULES[Trigger.RETRY_BY_HAND].sources == {JobState.FAILED}


def test_every_state_but_the_first_is_reached_and_every_open_state_is_left():
    assert {rule.target for rule in RULES.values()} == set(JobState) - {JobState.WAITING}
    left = set().union(*(rule.sources for rule in RULES.values()))
    assert left >= set(JobState) - TERMINAL


@pytest.mark.parametrize("trigger", Trigger)
def test_the_page_draws_the_table(trigger):
    rows = {
        name: (sources, target)
        for name, sources, target in re.findall(
            r"^\| `(\w+)` \| ([\w, ]+) \| (\w+) \|", PAGE.read_text(), flags=re.MULTILINE
        )
    }
    rule = RULES[trigger]
    assert rows[trigger] == (", ".join(sorted(rule.sources)), rule.target)
