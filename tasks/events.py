"""events: from the log to its readers. Safe to run twice at once (app/events/publisher.py,
app/webhooks/sender.py).
"""

import logging

from redis.exceptions import RedisError

from app.events.publisher import publish
from app.resources import get_resources
from app.webhooks.deliveries import fan_out
from app.webhooks.rounds import send_alone
from app.webhooks.sender import options_of
from workers.celery_app import PUBLISH_SECONDS, WEBHOOK_SECONDS, celery_app
from workers.rounds import is_due

logger = logging.getLogger(__name__)


@celery_app.task(name="retort.publish_events")
def publish_events() -> None:
    """An outage of Redis loses nothing: the next round goes on where this one stopped."""
    if not is_due("publish_events", PUBLISH_SECONDS):
        return
    resources = get_resources()
    try:
        publish(resources.database, resources.redis)
    except RedisError as error:
        logger.warning("events reach the Redis stream later: %s", error)


@celery_app.task(name="retort.send_webhooks")
def send_webhooks() -> None:
    """One process of the installation at a time, so that slow receivers hold up one of those that
    sweep, never all.
    """
    if not is_due("send_webhooks", WEBHOOK_SECONDS):
        return
    resources = get_resources()
    fan_out(resources.database)
    done = send_alone(resources.database, options_of(resources.settings))
    if done:
        logger.info("webhooks: %s", ", ".join(f"{name} {n}" for name, n in done.items()))
