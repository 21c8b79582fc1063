"""A Kafka for tests: the mock cluster that librdkafka ships with (rdkafka_mock.h).

It speaks Kafka's protocol over TCP to any client, groups and idempotent producers included, and
keeps its messages in memory. It is no broker: nothing here proves what a real one does.
"""

import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Message, Producer


@pytest.fixture(scope="session")
def kafka_brokers() -> Iterator[str]:
    """host:port; the cluster lives as long as the client that made it."""
    keeper = Producer({"test.mock.num.brokers": 1, "log_level": 2})
    brokers = keeper.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    keeper.purge()


def read_topics(brokers: str, topics: list[str], number: int, seconds: float = 30) -> list[Message]:
    """The first `number` messages of the topics together, from the beginning."""
    options = {
        "bootstrap.servers": brokers,
        "group.id": f"test-{uuid4().hex}",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "log_level": 2,
    }
    consumer = Consumer(options)
    consumer.subscribe(topics)
    found: list[Message] = []
    give_up = time.monotonic() + seconds
    try:
        while len(found) < number and time.monotonic() < give_up:
            found += [one for one in consumer.consume(500, 0.3) if one.error() is None]
    finally:
        consumer.close()
    return found


def write(brokers: str, topic: str, *values: bytes, key: bytes | None = None) -> None:
    producer = Producer({"bootstrap.servers": brokers, "log_level": 2})
    for value in values:
        producer.produce(topic, value, key)
    assert producer.flush(20) == 0


def make_topic(brokers: str, topic: str) -> None:
    """By asking for it, as brokers with auto.create.topics.enable do."""
    partitions_of(brokers, topic)


def partitions_of(brokers: str, topic: str) -> list[int]:
    producer = Producer({"bootstrap.servers": brokers, "log_level": 2})
    end = time.monotonic() + 10
    while time.monotonic() < end:
        known = producer.list_topics(topic, timeout=10).topics[topic].partitions
        if known:
            return list(known)
        time.sleep(0.1)
    raise TimeoutError(f"the topic {topic} was not made")
