"""What the broker can say about its queues; hints for the sweeper."""

import logging
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from celery import Celery
from kombu import Connection

from workers.queues import NAMES

logger = logging.getLogger(__name__)

#: lives as long as the messages beside it: gone means that they are gone
_MARK = "retort:broker-mark"


@dataclass(frozen=True, kw_only=True)
class BrokerLook:
    """As it was at one moment; nothing is known of a broker that does not answer."""

    #: queues without a single waiting message
    empty_queues: frozenset[str] = frozenset()
    #: a Redis broker was emptied (FLUSHALL, a crash without append-only file) since the last look;
    #: each time it is told once. False for other brokers
    has_forgotten: bool = False


def look(celery: Celery) -> BrokerLook:
    try:
        with celery.connection_for_read() as connection:
            channel: Any = connection.default_channel
            return BrokerLook(empty_queues=_empty(celery, channel), has_forgotten=_forgot(channel))
    except Exception as error:  # noqa: BLE001 - a hint only: any trouble means "do not know"
        logger.warning("cannot ask the broker about its queues: %s", error)
        return BrokerLook()


def answers(url: str) -> bool:
    """Whether the broker at `url` takes a connection within two seconds."""
    try:
        with Connection(url, connect_timeout=2) as connection:
            connection.connect()
    except Exception as error:  # noqa: BLE001 - each transport has its own, and all mean no
        logger.warning("the broker does not answer: %s", error)
        return False
    return True


def on_redis(url: str) -> bool:
    return url.startswith("redis")


def _empty(celery: Celery, channel: Any) -> frozenset[str]:
    """Declared as the workers do: RabbitMQ refuses a declaration that differs."""
    queues: Any = celery.amqp.queues
    counts = {name: queues[name].bind(channel).queue_declare().message_count for name in NAMES}
    return frozenset(name for name, count in counts.items() if count == 0)


def _forgot(channel: Any) -> bool:
    client = getattr(channel, "client", None)
    return client is not None and bool(client.set(_MARK, uuid4().hex, nx=True))
