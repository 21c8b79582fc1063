"""commands: messages of a Redis stream become jobs; by a consumer group, so two at once may run."""

import logging
import os
import socket
from functools import partial

from redis.exceptions import RedisError

from app.commands.stream import take
from app.resources import get_resources
from workers.celery_app import COMMAND_SECONDS, celery_app
from workers.dispatch import send_job
from workers.rounds import is_due

logger = logging.getLogger(__name__)


@celery_app.task(name="retort.take_commands")
def take_commands() -> None:
    if not is_due("take_commands", COMMAND_SECONDS):
        return
    consumer = f"{socket.gethostname()}.{os.getpid()}"
    try:
        take(get_resources(), consumer, partial(send_job, celery_app))
    except RedisError as error:
        logger.warning("commands are taken later: %s", error)
