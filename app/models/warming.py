"""Model versions that serving processes load before anybody asks for them.

They are told before a name comes to mean a version, so that whoever asks by that name meets a model
that is loaded, or is being loaded already.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
import redis
from sqlalchemy import event

if TYPE_CHECKING:
    from redis import Redis
    from sqlalchemy.orm import Session

logger = logging.getLogger(__name__)

#: {"model_ids"}: load these, they will be asked for (published to all serving processes)
WARM_CHANNEL = "serving:warm"

#: tells the serving processes, or sees to it that they are told; waits for nothing, never raises
Warm = Callable[[Sequence[UUID]], None]


def warm(client: "Redis[bytes]", model_ids: Sequence[UUID]) -> None:
    """The versions must be committed: who cannot find one refuses it for some seconds. Never
    raises: who was not told loads a model when it is first asked for.
    """
    message = orjson.dumps({"model_ids": [str(model_id) for model_id in model_ids]})
    try:
        client.publish(WARM_CHANNEL, message)
    except redis.RedisError as error:
        logger.warning("models are loaded when they are first asked for: %s", error)


def warm_after(session: "Session", client: "Redis[bytes]", model_ids: Sequence[UUID]) -> None:
    """`warm` as soon as the session's transaction is committed, which makes the versions; nothing
    when it is not.
    """
    event.listen(session, "after_commit", lambda _: warm(client, model_ids), once=True)
