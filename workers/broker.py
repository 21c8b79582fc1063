"""What the broker can say about its queues; hints for the sweeper."""

import logging
from typing import Any

from celery import Celery

from workers.queues import NAMES

logger = logging.getLogger(__name__)


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
