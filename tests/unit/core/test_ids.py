"""Identifiers against RFC 9562: their fields, their order, and their clock."""

import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from app.core import ids
from app.core.ids import first_id, new_id


def milliseconds(id_):
    return id_.int >> 80


def test_the_fields_are_those_of_version_7():
    before = time.time_ns() // 1_000_000
    id_ = new_id()
    after = time.time_ns() // 1_000_000
    assert type(id_) is uuid.UUID
    assert (id_.version, id_.variant) == (7, uuid.RFC_4122)
    assert before <= milliseconds(id_) <= after


def test_a_hundred_thousand_ascend_and_stay_with_the_clock():
    made = [new_id() for _ in range(100_000)]
    assert made == sorted(set(made))
    assert milliseconds(made[-1]) <= time.time_ns() // 1_000_000


def test_threads_never_make_the_same():
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: [new_id() for _ in range(5_000)], range(8)))
    assert len({id_ for part in made for id_ in part}) == 40_000
    assert all(part == sorted(part) for part in made)


def test_a_clock_that_goes_backwards_changes_no_order(monkeypatch):
    times = iter([5_000_000_000, 1_000_000_000, 1_000_000_000, 6_000_000_000])
    monkeypatch.setattr(ids.time, "time_ns", lambda: next(times))
    monkeypatch.setattr(ids, "_clock", ids._Clock())
    made = [new_id() for _ in range(4)]
    assert made == sorted(set(made))
    assert [milliseconds(id_) for id_ in made] == [5000, 5000, 5000, 6000]


def test_a_full_counter_takes_the_next_millisecond(monkeypatch):
    clock = ids._Clock()
    monkeypatch.setattr(ids, "_clock", clock)
    monkeypatch.setattr(ids.time, "time_ns", lambda: 5_000_000_000)
    first = new_id()
    clock._counter = (1 << 42) - 1
    second = new_id()
    assert (milliseconds(second), second.version) == (5001, 7)
    assert second > first


def test_a_forked_child_makes_others():
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, "\n".join(str(new_id()) for _ in range(500)).encode())
        os._exit(0)
    os.close(writing)
    mine = {str(new_id()) for _ in range(500)}
    with os.fdopen(reading) as pipe:
        theirs = pipe.read().split("\n")
    os.waitpid(child, 0)
    assert len(theirs) == 500
    assert not mine & set(theirs)


@pytest.mark.parametrize("later", [timedelta(milliseconds=1), timedelta(days=1)])
def test_a_range_of_time_is_a_range_of_ids(later):
    now = datetime.now(UTC)
    id_ = new_id()
    assert first_id(now - later) < id_ < first_id(datetime.now(UTC) + later)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_every_date_has_a_first_id(moment):
    moment = datetime.fromisoformat(moment)
    week = timedelta(days=7)
    assert first_id(moment, -week) <= first_id(moment) <= first_id(moment, week)
