"""Load shedding of a gateway: who cannot be answered in time is told so at once."""

import asyncio

import pytest

from app.core.errors import Overloaded, Unavailable
from app.core.ids import new_id
from workers.serving.client import ServingClient, _Pace
from workers.serving.protocol import Answer


def answers(inputs, milliseconds):
    """Of one micro-batch that took so long."""
    return [
        Answer(id="a", items=[b""] * inputs, cached=[False] * inputs, milliseconds=milliseconds)
    ]


@pytest.fixture
def client():
    """`_hear` is told what serving processes answer; nothing is connected until it is asked."""
    return ServingClient("redis://127.0.0.1:1/0", max_inputs=1_000)


def test_the_pace_is_a_moving_average_of_seconds_per_input():
    pace = _Pace()
    assert pace.seconds_for(100) == 0.0, "nothing is known"
    pace.observe(answers(4, 2_000))  # 0.5 s each, of which a tenth counts
    assert pace.seconds_for(10) == pytest.approx(0.5)
    pace.observe(answers(1, 1_050))  # 0.05 + 0.1 * (1.05 - 0.05)
    assert pace.seconds_for(10) == pytest.approx(1.5)
    pace.observe([Answer(id="b", milliseconds=60_000)])  # a problem: it measured no input
    assert pace.seconds_for(10) == pytest.approx(1.5)


def test_what_is_expected_to_come_too_late_is_refused_with_the_time_to_wait(client):
    for _ in range(200):
        client._hear(answers(1, 100))  # 0.1 s each by now
    client._inputs = 120  # wait already: 12 s of work
    client._admit(1, seconds=13)
    with pytest.raises(Overloaded) as refused:
        client._admit(1, seconds=11)
    assert refused.value.headers == {"Retry-After": "12"}
    client._inputs = 0
    client._admit(1, seconds=0.05)  # nobody is before it


def test_more_than_may_wait_is_refused_whatever_the_pace(client):
    client._admit(1_000, seconds=20)
    client._inputs = 1
    with pytest.raises(Overloaded) as refused:
        client._admit(1_000, seconds=20)
    assert refused.value.headers == {"Retry-After": "1"}


class Nobody:
    """A line that takes every question, and nobody who reads it."""

    async def ask(self, *command):
        return None if command[0] == "LMOVE" else len(command)


def test_nobody_who_answers_says_when_to_come_again(client):
    client._asking = Nobody()
    with pytest.raises(Unavailable) as refused:
        asyncio.run(client.ask(new_id(), [{"smiles": "C"}], seconds=0.01))
    assert refused.value.problem()["code"] == "no_worker_answered"
    assert refused.value.headers == {"Retry-After": "5"}
    assert client._inputs == 0, "it waits no longer"
