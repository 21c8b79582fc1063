"""From the gateway into the history: nothing lost, nothing twice, whoever dies."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import psycopg
import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from app.history import sink
from app.history.entries import HistoryEntry
from app.history.records import PredictionFilter, list_predictions, structure_key
from app.history.sink import BATCH, PENDING, drain, push, push_soon
from tests.support.predictions import CALLER, Named, answered, entries


def stored(resources, **filters):
    return list_predictions(
        resources.database, CALLER.project_id, PredictionFilter(**filters), limit=100_000
    )


def waiting(resources):
    return resources.redis.llen(PENDING)


@pytest.mark.parametrize("as_bytes", [False, True])
def test_an_answer_is_stored_as_it_was_given(resources, as_bytes):
    model = Named(name="esol", number=3)
    item = answered("OCC", canonical="CCO", id_="mine", value=-0.77, as_bytes=as_bytes, cached=True)
    made = entries(item, model=model, request_id="r-9", latency_ms=1.5)
    assert push(resources.redis, made) == 1
    assert stored(resources) == []
    assert drain(resources) == 1
    [row] = stored(resources)
    assert row["id"] == made[0].id
    assert (row["model_id"], row["model_name"], row["model_number"]) == (model.id, "esol", 3)
    assert row["input"] == {"smiles": "OCC", "id": "mine"}
    assert row["output"]["targets"] == {"y": {"value": -0.77, "unit": None}}
    assert not {"id", "input", "cached"} & row["output"].keys()
    assert (row["structure"], row["cached"], row["latency_ms"]) == ("CCO", True, 1.5)
    assert (row["mode"], row["request_id"], row["created_by"]) == ("live", "r-9", "key:test")
    assert row["expires_at"] is None
    assert stored(resources, structure_key=structure_key("CCO")) == [row]
    assert waiting(resources) == 0


def test_a_row_of_a_table_has_no_structure(resources):
    item = answered("C")
    item = type(item)(
        given={"features": {"dose": 1}},
        input_key=item.input_key,
        answer={"canonical_smiles": None, "status": "ok"},
    )
    push(resources.redis, entries(item))
    assert drain(resources) == 1
    [row] = stored(resources)
    assert (row["structure"], row["input"]) == (None, {"features": {"dose": 1}})


def test_a_very_long_structure_is_stored_and_found(resources):
    long = "C" * 5_000
    push(resources.redis, entries(long))
    assert drain(resources) == 1
    assert len(stored(resources, structure_key=structure_key(long))) == 1


def test_storing_twice_is_storing_once(resources):
    made = entries("C", "CC")
    push(resources.redis, made)
    assert drain(resources) == 2
    push(resources.redis, made)
    assert drain(resources) == 0
    assert len(stored(resources)) == 2
    assert waiting(resources) == 0


def test_what_cannot_be_stored_stands_in_nobodys_way(resources, caplog):
    bodies = [entry.body for entry in entries(*("C" * n for n in range(1, 8)))]
    stranger = entries("N")[0].body.replace(str(CALLER.project_id).encode(), b"0" * 32)
    odd = [b"no json", b'{"id": null}', stranger, b'{"id": "\\u0000"}']
    resources.redis.rpush(PENDING, *bodies[:3], *odd, *bodies[3:])
    assert drain(resources) == 7
    assert waiting(resources) == 0
    assert sum("cannot be stored" in line for line in caplog.messages) == len(odd)


def test_more_than_may_wait_is_dropped_and_told(resources, monkeypatch, caplog):
    monkeypatch.setattr(sink, "MAX_PENDING", 5)
    first = entries("C", "CC", "CCC")
    assert push(resources.redis, first) == 3
    assert push(resources.redis, entries("N", "NN", "NNN")) == 2
    assert push(resources.redis, entries("O")) == 0
    assert "are dropped" in caplog.text
    assert waiting(resources) == 5
    assert drain(resources) == 5
    assert {row["structure"] for row in stored(resources)} == {"C", "CC", "CCC", "N", "NN"}


def test_without_redis_it_says_so_and_raises_nothing(caplog):
    with Redis(host="127.0.0.1", port=1) as nobody:
        assert push(nobody, entries("C")) == 0
    assert "will not be in the history" in caplog.text


def test_a_coroutine_pushes_too(resources, redis_url, caplog):
    async def both():
        async with AsyncRedis.from_url(redis_url) as client:
            kept = await push_soon(client, entries("C", "CC"))
        async with AsyncRedis(host="127.0.0.1", port=1) as nobody:
            return kept, await push_soon(nobody, entries("C"))

    assert asyncio.run(both()) == (2, 0)
    assert drain(resources) == 2
    assert "will not be in the history" in caplog.text


def test_one_entry_costs_one_command(resources):
    before = resources.redis.info("commandstats")
    push(resources.redis, entries("C", "CC"))
    after = resources.redis.info("commandstats")
    calls = {
        name: stats["calls"] - before.get(name, {"calls": 0})["calls"]
        for name, stats in after.items()
    }
    assert {name for name, n in calls.items() if n and name != "cmdstat_info"} == {"cmdstat_rpush"}


def test_nothing_is_lost_while_postgres_is_away(resources, monkeypatch):
    push(resources.redis, entries("C", "CC"))

    def away(*_):
        raise psycopg.OperationalError("away")

    with monkeypatch.context() as patch:
        patch.setattr(sink, "_insert", away)
        with pytest.raises(psycopg.OperationalError):
            drain(resources)
    assert waiting(resources) == 2
    assert drain(resources) == 2


_DRAINER = """
import os, sys
from app.history import sink
from app.resources import get_resources
store = sink.store
def stored_and_waiting(database, rows):
    {before}
    found = store(database, rows)
    {after}
    return found
sink.store = stored_and_waiting
sink.drain(get_resources())
"""
_WAIT = "print('here', flush=True); sys.stdin.read()"


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_drainer_killed_on_either_side_of_its_commit_loses_nothing(
    resources, retort_environment, where
):
    push(resources.redis, entries(*("C" * n for n in range(1, 21))))
    places = {"before": "pass", "after": "pass"} | {where: _WAIT}
    process = subprocess.Popen(
        [sys.executable, "-c", _DRAINER.format(**places)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | retort_environment,
    )
    assert process.stdout.readline() == b"here\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    assert len(stored(resources)) == (0 if where == "before" else 20)
    assert waiting(resources) == 20
    push(resources.redis, entries("N"))
    assert drain(resources) == (21 if where == "before" else 1)
    assert len(stored(resources)) == 21
    assert waiting(resources) == 0


def test_one_who_was_overtaken_removes_nothing(resources, monkeypatch):
    """He read, another read, stored and removed the same, new entries came: those stay."""
    push(resources.redis, entries("C", "CC"))
    store = sink.store

    def overtaken(database, rows):
        monkeypatch.setattr(sink, "store", store)
        assert drain(resources) == 2
        push(resources.redis, entries("N", "NN", "NNN"))
        return store(database, rows)

    monkeypatch.setattr(sink, "store", overtaken)
    assert drain(resources) == 0
    assert waiting(resources) == 3
    assert drain(resources) == 3
    assert len(stored(resources)) == 5


def test_several_at_once_store_each_once(resources):
    made = [entries("C" * (n % 50 + 1))[0] for n in range(6 * BATCH + 7)]
    errors = []

    def pushing():
        for start in range(0, len(made), 50):
            push(resources.redis, made[start : start + 50])

    def draining():
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until and (producer.is_alive() or waiting(resources)):
                drain(resources)
        except Exception as error:  # noqa: BLE001 - told by the test
            errors.append(error)

    producer = threading.Thread(target=pushing)
    drainers = [threading.Thread(target=draining) for _ in range(3)]
    for thread in (producer, *drainers):
        thread.start()
    for thread in (producer, *drainers):
        thread.join()
    assert errors == []
    assert waiting(resources) == 0
    found = [row["id"] for row in stored(resources)]
    assert sorted(found) == sorted(entry.id for entry in made)


def test_a_task_may_be_cut_short(resources):
    push(resources.redis, [HistoryEntry(id=e.id, body=e.body) for e in entries(*["C"] * BATCH)])
    push(resources.redis, entries("N"))
    assert drain(resources, most=BATCH) == BATCH
    assert waiting(resources) == 1


def test_beat_asks_the_control_queue_to_store(resources, monkeypatch):
    from tasks import maintenance
    from workers import rounds
    from workers.celery_app import celery_app

    [entry] = [
        entry
        for entry in celery_app.conf.beat_schedule.values()
        if entry["task"] == maintenance.store_predictions.name
    ]
    assert (entry["schedule"], entry["options"]) == (2.0, {"queue": "control"})
    monkeypatch.setattr(rounds, "_ran_at", {})
    push(resources.redis, entries("C"))
    maintenance.store_predictions()
    assert len(stored(resources)) == 1
    push(resources.redis, entries("C"))
    maintenance.store_predictions()  # another message that has piled up: at once is too soon
    assert waiting(resources) == 1
