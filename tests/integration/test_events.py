"""The event log: with the change or not at all, each once in one order, at least once to Redis."""

import threading

import orjson
import pytest
import redis as redis_client

from app.core.errors import InvalidInput
from app.core.work import Outcome
from app.db.base import DEFAULT_PROJECT_ID
from app.events import publisher, relay
from app.events.log import NewEvent, record
from app.events.publisher import STREAM, publish, send, sequence
from app.events.reading import Wanted, following, remove_old
from app.events.types.operations import WebhookTested
from app.jobs.claim import Owner, claim_job
from app.jobs.finish import end_badly, succeed
from app.jobs.submit import NewJob, submit_job

OWNER = Owner(worker="test", pid=1)
ALL = Wanted(project_id=DEFAULT_PROJECT_ID)


def told(cursor, subject, n, **changes):
    data = WebhookTested(webhook_id=str(n), by="test")
    values = {"project_id": DEFAULT_PROJECT_ID, "subject": subject, "data": data} | changes
    record(cursor, [NewEvent(**values)])


def tell(database, subject, n):
    with database.cursor() as cursor:
        told(cursor, subject, n)


def read(database, after=0):
    return following(database, ALL, after=after, limit=10_000)[0]


def in_stream(redis):
    return [orjson.loads(entry[b"event"]) for _, entry in redis.xrange(STREAM)]


def submit(database, kind="train", **changes):
    values = {"kind": kind, "queue": "cpu", "params": {}, "created_by": "key:test"} | changes
    return submit_job(database, NewJob(project_id=DEFAULT_PROJECT_ID, **values)).job


def claim(database, job):
    return claim_job(database, job.id, OWNER, lease_seconds=60)


@pytest.mark.req("S0-03", "S0-07")
def test_a_failed_training_is_told_with_its_correlation_id(resources):
    database = resources.database
    job = submit(database, correlation_id="c-1", client_ref="mine", labels={"lab": "a"})
    end_badly(database, claim(database, job), InvalidInput("the target is missing"))
    sequence(database)
    events = read(database)
    assert [event.type for event in events] == [
        "JobStateChanged",
        "ModelTrainingStarted",
        "JobStateChanged",
        "TrainingFailed",
    ]
    assert {event.correlation_id for event in events} == {"c-1"}
    assert {event.subject for event in events} == {f"jobs/{job.id}"}
    failed = events[-1].data
    assert failed["id"] == "mine"
    assert failed["job_id"] == str(job.id)
    assert failed["message"] == "the target is missing"
    assert failed["problem"]["code"] == "invalid_input"
    assert [event.data["state"] for event in events[::2]] == ["running", "failed"]


def test_nothing_is_told_of_what_is_rolled_back(resources):
    database = resources.database
    job = claim(database, submit(database))

    def refuse(session):
        raise RuntimeError("the commit fails")

    with pytest.raises(RuntimeError):
        succeed(database, job, Outcome(result={}, counts={}, commit=refuse))
    sequence(database)
    assert [event.data["state"] for event in read(database) if "state" in event.data] == ["running"]


def test_what_commits_late_is_not_missed(resources):
    """Numbers are drawn before the commit: a reader by numbers would have passed the early one."""
    database = resources.database
    early = database.connect()
    early.autocommit = False
    told(early.cursor(), "a", 1)
    tell(database, "b", 2)
    assert sequence(database) == 1
    seen, place = following(database, ALL, after=0)
    assert [event.subject for event in seen] == ["b"]
    early.commit()
    early.close()
    assert sequence(database) == 1
    later, _ = following(database, ALL, after=place)
    assert [event.subject for event in later] == ["a"]
    assert sequence(database) == 0


@pytest.mark.req("goal-16")
def test_two_publishers_at_once_give_each_event_once_and_in_order(resources):
    database, redis = resources.database, resources.redis
    done = threading.Event()

    def write(subject):
        for n in range(60):
            tell(database, subject, n)

    def work():
        while not done.is_set():
            publish(database, redis)

    publishers = [threading.Thread(target=work) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in publishers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in publishers:
        thread.join()
    publish(database, redis)
    while publish(database, redis).sequenced:
        pass
    events = read(database)
    assert [event.seq for event in events] == list(range(1, 181))
    entries = in_stream(redis)
    assert len({entry["id"] for entry in entries}) == len(entries) == 180
    for name in "abc":
        read_, sent = (
            [int(e.data["webhook_id"]) for e in events if e.subject == name],
            [int(e["data"]["webhook_id"]) for e in entries if e["subject"] == name],
        )
        assert read_ == sent == list(range(60))


class Killed(BaseException):
    """Stands for SIGKILL: no handler of ours catches it."""


def test_killed_after_sending_it_sends_again_in_order(resources, monkeypatch):
    database, redis = resources.database, resources.redis
    for n in range(3):
        tell(database, "a", n)
    sequence(database)

    def die(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(relay, "advance", die)
        with pytest.raises(Killed):
            send(database, redis)
    assert len(in_stream(redis)) == 3
    assert send(database, redis) == 3
    assert send(database, redis) == 0
    numbers = [int(entry["data"]["webhook_id"]) for entry in in_stream(redis)]
    assert numbers == [0, 1, 2, 0, 1, 2]
    ids = [entry["id"] for entry in in_stream(redis)]
    assert ids[:3] == ids[3:]


def test_killed_while_giving_places_it_gives_them_all_once(resources, monkeypatch):
    database = resources.database
    tell(database, "a", 1)

    def die(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(publisher, "advance", die)
        with pytest.raises(Killed):
            sequence(database)
    assert read(database) == []
    assert sequence(database) == 1
    assert [event.seq for event in read(database)] == [1]


def test_without_redis_postgres_has_them_and_redis_later(resources):
    database = resources.database
    tell(database, "a", 1)
    away = redis_client.Redis(port=1, socket_connect_timeout=0.2)
    with pytest.raises(redis_client.exceptions.RedisError):
        publish(database, away)
    assert len(read(database)) == 1
    publish(database, resources.redis)
    assert len(in_stream(resources.redis)) == 1


def test_old_events_go_and_new_and_unpublished_ones_stay(resources):
    database = resources.database
    for n in range(5):
        tell(database, "a", n)
    sequence(database, batch=4)
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE events SET at = now() - interval '40 days' WHERE data->>'webhook_id' <> '1'"
        )
    assert remove_old(database, days=30, batch=2) == 3
    sequence(database)
    assert [int(event.data["webhook_id"]) for event in read(database)] == [1, 4]
