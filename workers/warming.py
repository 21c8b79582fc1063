"""Model versions loaded by every serving process before they are asked for."""

import logging
from collections.abc import Sequence
from uuid import UUID

import orjson
from redis import RedisError

from app.resources import get_resources
from workers.serving.protocol import WARM_CHANNEL

logger = logging.getLogger(__name__)


def warm(model_ids: Sequence[UUID]) -> None:
    """Waits for nothing and never raises: who was not told loads a model when it is first asked
    for.
    """
    message = orjson.dumps({"model_ids": [str(model_id) for model_id in model_ids]})
    try:
        get_resources().redis.publish(WARM_CHANNEL, message)
    except RedisError as error:
        logger.warning("models are loaded when they are first asked for: %s", error)
