"""Each run exactly once: a year of ticks, two beats, a process that dies between two statements."""

import os
import random
import signal
import sys
import threading
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from psycopg import Cursor
from sqlalchemy import event

from app.schedules import firing
from app.schedules.settling import forget_old_runs, settle_runs
from tests.support.waiting import wait_for

pytestmark = pytest.mark.req("K-9", "S1-31", "goal-22")

BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


def days_at(zone, hour, minute, *, weekday=None):
    """By walking along real time, knowing nothing of the code under test."""
    zone, found, day = ZoneInfo(zone), [], date(2025, 12, 30)
    while day < date(2027, 1, 3):
        wanted = datetime.combine(day, time(hour, minute))
        at = wanted.replace(tzinfo=UTC) - timedelta(hours=16)
        while at.astimezone(zone).replace(tzinfo=None) < wanted:
            at += timedelta(minutes=15)
        if weekday in (None, day.weekday()) and BEGIN < at <= END:
            found.append(at)
        day += timedelta(days=1)
    return found


def walls(zone, matches):
    zone, found, at = ZoneInfo(zone), [], BEGIN
    while (at := at + timedelta(minutes=30)) <= END:
        if matches(at.astimezone(zone)):
            found.append(at)
    return found


YEAR = {
    "berlin": ("30 2 * * *", "Europe/Berlin", lambda z: days_at(z, 2, 30)),
    "york": ("30 1 * * *", "America/New_York", lambda z: days_at(z, 1, 30)),
    "howe": ("45 1 * * *", "Australia/Lord_Howe", lambda z: days_at(z, 1, 45)),
    "howe-even": (
        "0 */12 * * *",
        "Australia/Lord_Howe",
        lambda z: walls(z, lambda w: w.minute == 0 and w.hour % 12 == 0),
    ),
    "sunday": ("0 2 * * SUN", "Europe/Berlin", lambda z: days_at(z, 2, 0, weekday=6)),
}


def ticks():
    """Moments at which somebody looks, up to a day apart."""
    at, dice = BEGIN, random.Random(7)
    while at < END:
        at += timedelta(minutes=dice.randint(180, 1440))
        yield min(at, END)


@pytest.mark.timeout(600)
def test_two_beats_over_a_year_fire_every_run_once(cron):
    for name, (expression, zone, enumerate_) in YEAR.items():
        first = enumerate_(zone)[0]
        cron.make(
            name, cron=expression, timezone=zone, next_at=first, missed="all", overlap="allow"
        )
    clock = {"now": BEGIN}
    together = threading.Barrier(2, action=lambda: clock.update(now=next(moments, None)))
    moments, wrong = ticks(), []

    def beat():
        try:
            while True:
                together.wait(timeout=120)
                if clock["now"] is None:
                    return
                cron.fire(clock["now"])
        except Exception as error:  # noqa: BLE001 - told by the test
            wrong.append(error)
            together.abort()

    beats = [threading.Thread(target=beat) for _ in range(2)]
    for thread in beats:
        thread.start()
    for thread in beats:
        thread.join()
    assert wrong == []
    for name, (_, zone, enumerate_) in YEAR.items():
        runs = cron.runs(name)
        assert [run["run_at"] for run in runs] == enumerate_(zone), name
        assert {run["state"] for run in runs} == {"running"}
    jobs = cron.rows("SELECT labels->>'schedule_run' AS run FROM jobs")
    each = Counter(job["run"] for job in jobs)
    everything = [str(run["id"]) for name in YEAR for run in cron.runs(name)]
    assert each == Counter(everything), "one job for each run"
    assert len(everything) > 1500


def fired_until(cron, statements, at):
    """In a process of its own, which is killed before the statement of this number: of the ORM, of
    the engine's own cursor, or a commit. The signal that ended it, or 0.
    """
    child = os.fork()
    if child == 0:
        left = [statements]

        def count(*_):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def counting(*arguments, real=Cursor.execute, **options):
            count()
            return real(*arguments, **options)

        try:
            # a pool of the child's own; every statement passes one driver
            event.listen(cron.resources.database.engine, "commit", count)
            Cursor.execute = counting
            cron.fire(at)
        finally:
            os._exit(0 if sys.exc_info()[0] is None else 1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.timeout(600)
def test_a_process_killed_between_any_two_statements_leaves_all_or_nothing(cron):
    """Killed at its first statement, its second, ... until it comes through; after each death
    another one takes over, and the moment is fired once.
    """
    at, died = "2026-10-25T00:31:00+00:00", 0
    for number in range(80):
        name = f"s{number}"
        cron.make(name, cron="30 2 * * *", timezone="Europe/Berlin", next_at="2026-10-25T00:30Z")
        ended = fired_until(cron, number, at)
        assert ended in (0, -signal.SIGKILL)
        died += ended != 0
        jobs = cron.rows("SELECT id FROM jobs WHERE labels->>'schedule' = %s", name)
        assert len(cron.runs(name)) == len(jobs) <= 1, "a run and its job are there, or neither"
        # the server lets go of the dead one's row when it hears of its death, and others pass it by
        wait_for(lambda name=name: cron.fire(at) or cron.runs(name), "another one takes over", 30)
        (run,) = cron.runs(name)
        jobs = cron.rows("SELECT id FROM jobs WHERE labels->>'schedule' = %s", name)
        assert run["job_ids"] == [job["id"] for job in jobs]
        assert len(jobs) == 1
        if ended == 0:
            break
    assert ended == 0
    assert died >= 8


def test_the_key_refuses_a_run_that_exists_whatever_else_went_wrong(cron):
    """As if a beat of a restored backup fired what was fired."""
    row = cron.make(next_at="2026-03-01T02:00Z", overlap="allow")
    assert len(cron.fire("2026-03-01T02:00:01Z")) == 1
    cron.rows("UPDATE schedules SET next_at = %s RETURNING id", "2026-03-01T02:00Z")
    assert cron.fire("2026-03-01T02:00:02Z") == []
    assert len(cron.runs()) == 1
    assert cron.rows("SELECT count(*) AS n FROM jobs")[0]["n"] == 1
    assert row.name == "nightly"


def test_a_job_of_a_run_says_which_and_runs_in_its_creators_name(cron):
    cron.make(next_at="2026-03-01T02:00Z")
    (job,) = cron.fire("2026-03-01T02:00:01Z")
    (run,) = cron.runs()
    assert job.created_by == "key:ana"
    assert job.labels == {"team": "adme", "schedule": "nightly", "schedule_run": str(run["id"])}
    assert (run["trigger"], run["state"]) == ("cron", "running")
    # as any submitted job: queued, with its event, for the sweep to send again if it gets lost
    assert job.dispatched_at is not None
    events = cron.rows("SELECT data FROM job_events WHERE job_id = %s", job.id)
    assert [event["data"]["state"] for event in events] == ["queued"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"missed": "skip"}, ["skipped"] * 4),
        ({"missed": "last"}, [*["skipped"] * 3, "running"]),
        ({"missed": "all"}, ["running"] * 4),
        ({"missed": "all", "max_missed": 2}, ["skipped"] * 2 + ["running"] * 2),
    ],
)
def test_what_was_missed_in_an_outage_is_made_up_for_as_the_policy_says(cron, policy, expected):
    cron.make(next_at="2026-03-01T02:00Z", overlap="allow", **policy)
    jobs = cron.fire("2026-03-04T09:00Z")
    assert [state for _, state in cron.states()] == expected
    assert len(jobs) == expected.count("running")
    for run in cron.runs():
        assert run["trigger"] == "missed"
        if run["state"] == "skipped":
            assert "missed by" in run["reason"]
    # what comes next is on time
    assert cron.fire("2026-03-05T01:59:59Z") == []
    (job,) = cron.fire("2026-03-05T02:00:02Z")
    assert cron.runs()[-1]["trigger"] == "cron"
    assert job.labels["schedule_run"] == str(cron.runs()[-1]["id"])


def test_a_long_outage_of_a_busy_schedule_stays_bounded(cron):
    cron.make(cron="* * * * *", next_at="2026-01-01T00:00Z", missed="all", overlap="allow")
    cron.fire("2026-03-01T00:00:30Z")
    runs = cron.runs()
    assert Counter(run["state"] for run in runs) == {"running": 10, "skipped": 20}
    assert "before it" in runs[0]["reason"]
    assert runs[-1]["run_at"] == datetime(2026, 3, 1, tzinfo=UTC)


def test_while_a_run_has_not_ended_the_next_is_skipped_with_the_reason(cron):
    cron.make(next_at="2026-03-01T02:00Z", overlap="skip")
    assert len(cron.fire("2026-03-01T02:00Z")) == 1
    assert cron.fire("2026-03-02T02:00Z") == []
    first, second = cron.runs()
    assert (first["state"], second["state"]) == ("running", "skipped")
    assert str(first["id"]) in second["reason"]
    cron.end_jobs()
    settle_runs(cron.resources)
    assert len(cron.fire("2026-03-03T02:00Z")) == 1
    assert [state for _, state in cron.states()] == ["succeeded", "skipped", "running"]


def test_runs_wait_for_one_another_in_order_and_not_without_end(cron):
    cron.make(next_at="2026-03-01T02:00Z", overlap="queue")
    for day in range(1, 14):
        cron.fire(f"2026-03-{day:02}T02:00:01Z")
    states = [state for _, state in cron.states()]
    assert states == ["running", *["waiting"] * firing.MOST_WAITING, "skipped", "skipped"]
    assert cron.begin_waiting() == []
    begun = []
    for _ in range(firing.MOST_WAITING):
        cron.end_jobs()
        settle_runs(cron.resources)
        (job,) = cron.begin_waiting()
        begun.append(next(r["run_at"] for r in cron.runs() if job.id in r["job_ids"]))
        assert [state for _, state in cron.states()].count("running") == 1
    assert all(a < b for a, b in pairwise(begun))


def test_runs_may_overlap_where_that_is_allowed(cron):
    cron.make(next_at="2026-03-01T02:00Z", overlap="allow")
    cron.fire("2026-03-01T02:00Z")
    cron.fire("2026-03-02T02:00Z")
    assert [state for _, state in cron.states()] == ["running", "running"]


def test_a_template_that_became_wrong_fails_its_run_and_holds_nobody_up(cron):
    cron.make("good", next_at="2026-03-01T02:00Z")
    cron.make(next_at="2026-03-01T02:00Z", overlap="allow")
    cron.rows("UPDATE datasets SET name = 'other' RETURNING id")
    cron.fire("2026-03-01T02:00Z")
    (run,) = cron.runs()
    assert run["state"] == "failed"
    assert run["error"]["code"] == "not_found"
    assert run["error"]["remedy"]
    cron.rows("UPDATE datasets SET name = 'mols' RETURNING id")
    assert len(cron.fire("2026-03-02T02:00Z")) == 2


def test_the_end_of_its_time_is_the_last_run(cron):
    cron.make(next_at="2026-03-01T02:00Z", end_at="2026-03-02T02:00Z", overlap="allow")
    for day in range(1, 5):
        cron.fire(f"2026-03-{day:02}T03:00Z")
    assert [at for at, _ in cron.states()] == ["03-01 02:00", "03-02 02:00"]


@pytest.mark.parametrize("ended", ["failed", "cancelled"])
def test_a_run_ends_as_its_job_does(cron, ended):
    cron.make(next_at="2026-03-01T02:00Z")
    (job,) = cron.fire("2026-03-01T02:00Z")
    settle_runs(cron.resources)
    assert cron.runs()[0]["state"] == "running"
    cron.end_jobs(ended)
    settle_runs(cron.resources)
    (run,) = cron.runs()
    assert run["state"] == "failed"
    assert run["reason"] == f"featurize job {job.id} {ended}"
    assert run["finished_at"] is not None


def test_old_runs_are_forgotten_and_open_ones_never(cron):
    cron.make(next_at="2024-03-01T02:00Z", overlap="allow")
    cron.fire("2024-03-01T02:00Z")
    cron.end_jobs()
    settle_runs(cron.resources)
    cron.fire("2024-03-02T02:00Z")
    assert [state for _, state in cron.states()] == ["succeeded", "running"]
    assert forget_old_runs(cron.resources.database) == 1
    assert [state for _, state in cron.states()] == ["running"]
    assert cron.rows("SELECT count(*) AS n FROM jobs")[0]["n"] == 2
