"""What the broker can say about its queues; hints for the sweeper."""

import logging
from typing import Any
from uuid import uuid4

from celery import Celery

from workers.queues import NAMES

logger = logging.getLogger(__name__)

#: lives as long as the messages beside it: gone means that they are gone
_MARK = "retort:broker-mark"


def empty_queues(celery: Celery) -> frozenset[str]:
    """Queues without a single waiting message; none when the broker does not answer."""
    try:
        with celery.connection_for_read() as connection:
            channel: Any = connection.default_channel
            counts = {
                name: channel.queue_declare(queue=name, passive=False).message_count
                for name in NAMES
            }
    except Exception as error:  # noqa: BLE001 - a hint only: any trouble means "do not know"
        logger.warning("cannot read the queue lengths: %s", error)
        return frozenset()
    return frozenset(name for name, count in counts.items() if count == 0)


def has_forgotten(celery: Celery) -> bool:
    """Whether a Redis broker was emptied (FLUSHALL, a crash without append-only file) since the
    last call; each time it is answered once. False for other brokers, and when it does not answer.
    """
    try:
        with celery.connection_for_read() as connection:
            client = getattr(connection.default_channel, "client", None)
            if client is None:
                return False
            return bool(client.set(_MARK, uuid4().hex, nx=True))
    except Exception as error:  # noqa: BLE001 - a hint only, as above
        logger.warning("cannot ask the broker whether it was emptied: %s", error)
        return False
