"""The Kafka bridge: each event at least once and in order for its subject, each command one job."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition

from app.db.base import DEFAULT_PROJECT_ID
from app.db.projects import ProjectRow
from app.events import relay
from app.events.log import NewEvent, record
from app.events.publisher import sequence
from app.events.types.operations import WebhookTested
from app.events.types.prediction import PredictionFailed
from app.resources import Resources
from tests.support.kafka import kafka_brokers, make_topic, partitions_of, read_topics, write
from tests.support.waiting import wait_for
from tests.support.worker_here import WorkerHere
from workers.kafka.bridge import KAFKA, Bridge
from workers.kafka.connection import GROUP, KafkaUnavailableError
from workers.kafka.incoming import Receiver
from workers.kafka.outgoing import Sender

__all__ = ["kafka_brokers"]
pytestmark = pytest.mark.req("goal-17", "S0-22", "S0-25", "C-01")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings(resources, kafka_brokers):
    """Topics of the test's own in the one cluster; that of the commands exists."""
    name = uuid4().hex[:8]
    make_topic(kafka_brokers, f"commands-{name}")
    return resources.settings.model_copy(
        update={
            "kafka_bootstrap": kafka_brokers,
            "kafka_events_topic": f"events-{name}",
            "kafka_commands_topic": f"commands-{name}",
        }
    )


@pytest.fixture
def bridge_between(monkeypatch):
    """Of this process; what it sends for a job goes nowhere."""
    monkeypatch.setattr("workers.kafka.bridge.send_job", lambda *_: None)
    with contextlib.ExitStack() as at_the_end:

        def make(settings):
            with_kafka = Resources(settings)
            at_the_end.callback(with_kafka.database.dispose)
            made = Bridge(with_kafka)
            at_the_end.callback(made._receiver.close)
            return made

        yield make


@pytest.fixture
def bridge(bridge_between, settings):
    return bridge_between(settings)


def tell(database, subject, *numbers):
    for number in numbers:
        with database.cursor() as cursor:
            data = WebhookTested(webhook_id=str(number), by="test")
            event = NewEvent(project_id=DEFAULT_PROJECT_ID, subject=subject, data=data)
            record(cursor, [event])
    sequence(database)


def events_in(settings, number, family="operations"):
    topic = f"{settings.kafka_events_topic}.{family}"
    return read_topics(settings.kafka_bootstrap, [topic], number)


def numbers_of(messages, subject):
    said = [orjson.loads(m.value()) for m in messages if m.key() == subject.encode()]
    return [int(event["data"]["webhook_id"]) for event in said]


def command(dataset="mols", **fields):
    body = {"type": "CalculateFeatureVectors", "id": "c1", "user_id": "ada", "dataset_id": dataset}
    return orjson.dumps(body | fields)


def dead(settings, number):
    topic = f"{settings.kafka_commands_topic}.dead"
    return read_topics(settings.kafka_bootstrap, [topic], number)


def committed(settings):
    """How many commands of the topic the group has dealt with."""
    topic = settings.kafka_commands_topic
    known = partitions_of(settings.kafka_bootstrap, topic)
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": GROUP})
    places = consumer.committed([TopicPartition(topic, number) for number in known], timeout=10)
    consumer.close()
    return sum(max(0, place.offset) for place in places)


@pytest.fixture
def ready(api):
    """A data set whose ingestion is queued: enough for a job to name it."""
    rows = "".join(f"{'C' * n}O,{n}\n" for n in range(1, 30))
    file = api.post("files", files={"file": ("mols.csv", f"smiles,y\n{rows}".encode())}).json()

    def make(resources):
        worker = WorkerHere(resources)
        body = {"kind": "ingest", "params": {"file_id": file["id"], "name": "mols"}}
        assert api.post("jobs", json=body).status_code in (201, 202)
        worker.run_all()

    return make


def jobs(api):
    return api.get("jobs", params={"kind": "featurize"}).json()["items"]


def rounds(bridge, until, most=60):
    stop = threading.Event()
    for _ in range(most):
        bridge.round(stop)
        if until():
            return
    raise AssertionError("it did not happen")


def test_events_lie_in_the_topic_of_their_family_in_the_order_of_their_subject(
    resources, settings, api
):
    tell(resources.database, "a", 1, 2, 3)
    tell(resources.database, "b", 4)
    relay.register(resources.database, KAFKA)
    assert relay.relay(resources.database, KAFKA, Sender(settings).deliver) == 4
    assert relay.relay(resources.database, KAFKA, Sender(settings).deliver) == 0
    found = events_in(settings, 4)
    assert (numbers_of(found, "a"), numbers_of(found, "b")) == ([1, 2, 3], [4])
    assert len({m.partition() for m in found if m.key() == b"a"}) == 1
    assert dict(found[0].headers())["content-type"].startswith(b"application/cloudevents+json")
    said = {event["id"]: event for event in api.get("events").json()["items"]}
    assert said == {event["id"]: event for event in (orjson.loads(m.value()) for m in found)}


def test_killed_after_sending_it_sends_the_same_again(resources, settings, monkeypatch):
    class Killed(BaseException):
        """Stands for SIGKILL."""

    def die(*_):
        raise Killed

    database = resources.database
    tell(database, "a", 1, 2)
    relay.register(database, KAFKA)
    with monkeypatch.context() as patched:
        patched.setattr(relay, "advance", die)
        with pytest.raises(Killed):
            relay.relay(database, KAFKA, Sender(settings).deliver)
    tell(database, "a", 3)
    assert relay.relay(database, KAFKA, Sender(settings).deliver) == 3
    assert numbers_of(events_in(settings, 5), "a") == [1, 2, 1, 2, 3]


def test_while_kafka_is_away_events_wait(resources, settings, monkeypatch):
    database = resources.database
    tell(database, "a", 1)
    relay.register(database, KAFKA)
    with monkeypatch.context() as patched:
        patched.setattr("workers.kafka.outgoing._DELIVERY_SECONDS", 1)
        away = Sender(settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"}))
        with pytest.raises(KafkaUnavailableError):
            relay.relay(database, KAFKA, away.deliver)
    assert relay.relay(database, KAFKA, Sender(settings).deliver) == 1
    assert numbers_of(events_in(settings, 1), "a") == [1]


@pytest.mark.req("S0-02", "S0-17")
def test_a_command_is_one_job_and_is_not_read_again(resources, settings, api, ready, bridge):
    ready(resources)
    write(settings.kafka_bootstrap, settings.kafka_commands_topic, *[command()] * 3)
    rounds(bridge, lambda: committed(settings) == 3)
    (job,) = jobs(api)
    assert (job["client_ref"], job["created_by"], job["kind"]) == ("c1", "command:ada", "featurize")
    later = Receiver(settings)
    handled = []
    for _ in range(8):
        later.take(lambda *said: handled.append(said))
    later.close()
    assert handled == []


@pytest.fixture
def osdr_settings(settings):
    return settings.model_copy(update={"kafka_casing": "pascal", "kafka_legacy_names": True})


@pytest.mark.req("U-01", "U-06")
def test_programs_of_osdr_are_told_in_its_words(resources, osdr_settings):
    told = PredictionFailed(id="c1", user_id="ada", job_id="j1", message="no such model")
    with resources.database.cursor() as cursor:
        record(cursor, [NewEvent(project_id=DEFAULT_PROJECT_ID, subject="jobs/j1", data=told)])
    sequence(resources.database)
    relay.register(resources.database, KAFKA)
    assert relay.relay(resources.database, KAFKA, Sender(osdr_settings).deliver) == 1
    (message,) = events_in(osdr_settings, 1, "prediction")
    said = orjson.loads(message.value())
    assert said["type"] == "PropertiesPredictionFailed"
    names = {"Id", "UserId", "CorrelationId", "JobId", "Message", "Problem", "TimeStamp"}
    assert said["data"].keys() == names
    assert (said["data"]["Id"], said["data"]["Message"]) == ("c1", "no such model")


@pytest.mark.req("U-01")
def test_programs_of_osdr_command_in_its_words(
    resources, osdr_settings, api, ready, bridge_between
):
    ready(resources)
    said = {"Type": "CalculateFeatureVectors", "Id": "c1", "UserId": "ada", "DatasetId": "mols"}
    wrong = {**said, "Id": "c2", "DatasetId": "nothing"}
    topic = osdr_settings.kafka_commands_topic
    write(osdr_settings.kafka_bootstrap, topic, orjson.dumps(said), command(), orjson.dumps(wrong))
    rounds(bridge_between(osdr_settings), lambda: committed(osdr_settings) == 3)
    (job,) = jobs(api)  # the second is the first one again, in our words
    assert (job["client_ref"], job["created_by"]) == ("c1", "command:ada")
    (message,) = dead(osdr_settings, 1)
    problem = orjson.loads(dict(message.headers())["problem"])
    assert [entry["pointer"] for entry in problem["errors"]] == ["/DatasetId"]


def test_what_can_never_be_done_is_a_dead_letter_with_its_problem(settings, bridge):
    bad = [b"{not json", command(type="TrainModle"), command("nothing"), command(surplus=1)]
    write(settings.kafka_bootstrap, settings.kafka_commands_topic, *bad)
    rounds(bridge, lambda: committed(settings) == 4)
    found = {m.value(): dict(m.headers()) for m in dead(settings, 4)}
    codes = [orjson.loads(found[value]["problem"])["code"] for value in bad]
    assert codes == ["invalid_input", "unknown_name", "not_found", "invalid_input"]
    origins = {headers["origin"] for headers in found.values()}
    assert len(origins) == 4
    assert all(o.startswith(settings.kafka_commands_topic.encode()) for o in origins)


def test_what_a_quota_holds_back_waits_with_what_is_behind_it_in_its_partition(
    resources, settings, api, ready, bridge, monkeypatch
):
    monkeypatch.setattr("workers.kafka.incoming._HOLD_SECONDS", 1.0)
    ready(resources)
    quota(resources, {"queued_jobs": 0})
    topic = settings.kafka_commands_topic
    write(settings.kafka_bootstrap, topic, command(), command(id="c2"), b"{", key=b"one")
    partition = partition_of_key(settings, b"one")
    other = next(key for key in map(str, range(50)) if key_goes_elsewhere(settings, key, partition))
    write(settings.kafka_bootstrap, topic, b"{", key=other.encode())
    rounds(bridge, lambda: committed(settings) == 1)
    assert len(dead(settings, 1)) == 1
    assert jobs(api) == []
    quota(resources, {})
    rounds(bridge, lambda: committed(settings) == 4)
    assert {job["client_ref"] for job in jobs(api)} == {"c1", "c2"}


def partition_of_key(settings, key):
    found = read_topics(settings.kafka_bootstrap, [settings.kafka_commands_topic], 3)
    (partition,) = {message.partition() for message in found if message.key() == key}
    return partition


def key_goes_elsewhere(settings, key, partition):
    """librdkafka's default partitioner: CRC32 of the key."""
    known = partitions_of(settings.kafka_bootstrap, settings.kafka_commands_topic)
    return zlib.crc32(key.encode()) % len(known) != partition


def quota(resources, said):
    with resources.database.session() as session:
        session.get_one(ProjectRow, DEFAULT_PROJECT_ID).quota = said


@pytest.fixture
def start(settings, retort_environment, tmp_path):
    """Bridge processes, by the very command of the cluster."""
    names = ("bootstrap", "events_topic", "commands_topic")
    mine = {f"RETORT_KAFKA_{n.upper()}": str(getattr(settings, f"kafka_{n}")) for n in names}
    started = []

    def start(**changes):
        with (tmp_path / "bridge.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "workers.kafka"],
                cwd=ROOT,
                env={**os.environ, **mine, **changes},
                stdout=log,
                stderr=log,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def cursor_of(database):
    with database.cursor() as cursor:
        cursor.execute("SELECT seq FROM event_cursors WHERE name = %s", (KAFKA,))
        row = cursor.fetchone()
        return row["seq"] if row else 0


@pytest.mark.slow
def test_killed_bridges_lose_no_event_and_make_no_second_job(
    resources, settings, api, ready, start
):
    """Two bridges; while events are told and commands sent, one after the other is killed."""
    ready(resources)
    database = resources.database
    first, topic = start(), settings.kafka_commands_topic
    told = 0
    for n in range(3):
        started = start()
        for _ in range(20):
            tell(database, "a", *range(told, told + 10))
            told += 10
        sent = [command(id=f"{n}-{k}") for k in range(5)]
        write(settings.kafka_bootstrap, topic, *sent, *sent)
        wait_for(lambda: cursor_of(database) > 0, "events are sent", 60)
        first.send_signal(signal.SIGKILL)
        first = started
    last = told + sum(1 for _ in jobs(api))  # at least: jobs tell too
    wait_for(lambda: cursor_of(database) >= last, "all events are sent", 90)
    wait_for(lambda: committed(settings) == 30, "all commands are dealt with", 90)
    found = numbers_of(events_in(settings, told), "a")
    assert list(dict.fromkeys(found)) == list(range(told)), "the first time each comes, in order"
    assert len(jobs(api)) == 15
    first.terminate()
    assert first.wait(timeout=30) == 0


def test_without_a_kafka_it_says_what_is_lacking(start, tmp_path):
    assert start(RETORT_KAFKA_BOOTSTRAP="").wait(timeout=60) == 2
    assert "RETORT_KAFKA_BOOTSTRAP" in (tmp_path / "bridge.log").read_text()
