"""Beat sends what is due by a clock that nobody can set."""

import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from celery import Celery

from workers.celery_app import celery_app
from workers.schedule import SteadyScheduler


@pytest.fixture
def celery():
    celery = Celery("beat")
    celery.conf.update(
        broker_url="memory://",
        timezone="Europe/Berlin",
        beat_schedule={
            "sweep": {"task": "retort.sweep", "schedule": 0.2},
            "rare": {"task": "retort.rare", "schedule": 3600.0},
        },
    )
    return celery


@pytest.fixture
def sent(celery, monkeypatch):
    calls = []
    monkeypatch.setattr(
        SteadyScheduler, "apply_entry", lambda self, entry, producer=None: calls.append(entry.name)
    )
    return calls


def ticked(scheduler, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(scheduler.tick(), 0.05))


def test_everything_is_sent_at_the_start_and_then_in_its_time(celery, sent):
    ticked(SteadyScheduler(celery), 0.9)
    assert sent.count("rare") == 1
    # a busy machine may be late, but never sends too often
    assert 2 <= sent.count("sweep") <= 6


@pytest.mark.parametrize(
    "moved",
    [
        # the night in which clocks go back: 02:59 is followed by 02:00
        datetime(2026, 10, 25, 2, 0, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2026, 3, 29, 3, 0, tzinfo=ZoneInfo("Europe/Berlin")),
        # somebody sets the clock by hand
        datetime.now(UTC) - timedelta(hours=1),
        datetime.now(UTC) + timedelta(hours=5),
    ],
)
def test_a_clock_that_is_moved_changes_nothing(celery, sent, monkeypatch, moved):
    scheduler = SteadyScheduler(celery)
    ticked(scheduler, 0.5)
    before = sent.count("sweep")
    monkeypatch.setattr(celery, "now", lambda: moved)
    monkeypatch.setattr(time, "time", moved.timestamp)
    ticked(scheduler, 0.8)
    assert 2 <= sent.count("sweep") - before <= 5
    assert sent.count("rare") == 1


def test_no_message_of_beat_expires_by_comparing_two_clocks():
    for entry in celery_app.conf.beat_schedule.values():
        assert "expires" not in entry["options"]


def test_beat_asks_the_control_queue_to_look_at_canaries():
    from tasks.endpoints import step_canaries

    [entry] = [
        entry
        for entry in celery_app.conf.beat_schedule.values()
        if entry["task"] == step_canaries.name
    ]
    assert (entry["schedule"], entry["options"]) == (5.0, {"queue": "control"})
