"""Model versions that serving processes load before anybody asks for them.

They are told before a name comes to mean a version, and whoever moves a name to a new version waits
until they have it, so that nobody who asks by that name waits for a load.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import orjson
import redis
from sqlalchemy import event

if TYPE_CHECKING:
    from redis import Redis
    from sqlalchemy.orm import Session

logger = logging.getLogger(__name__)

#: {"model_ids", "reply_to"}: load these, they will be asked for, and push to the list `reply_to`
#: when each is loaded or cannot be (published to all serving processes)
WARM_CHANNEL = "serving:warm"
#: that who moves a name waits at most, s
LONGEST_WAIT = 10.0
#: of one look at Redis, s: its client gives up after two
_LOOK = 1.0


@dataclass(frozen=True, kw_only=True)
class Loading:
    """What serving processes were told to load."""

    client: "Redis[bytes]"
    reply_to: str
    #: that were told
    processes: int

    def wait(self, seconds: float = LONGEST_WAIT) -> bool:
        """Whether all of them have it within that time. Never raises: the others load it when it is
        first asked for.
        """
        ends, missing = time.monotonic() + seconds, self.processes
        try:
            while missing and (left := ends - time.monotonic()) > 0:
                if self.client.blpop([self.reply_to], timeout=min(left, _LOOK)) is not None:
                    missing -= 1
        except redis.RedisError as error:
            logger.warning("whether models are loaded cannot be told: %s", error)
            return False
        if missing:
            logger.warning("%d serving processes load for longer than %g s", missing, seconds)
        return not missing


#: tells the serving processes; never raises
Warm = Callable[[Sequence[UUID]], Loading]


def warm(client: "Redis[bytes]", model_ids: Sequence[UUID]) -> Loading:
    """The versions must be committed: who cannot find one refuses it for some seconds. Never
    raises: who was not told loads a model when it is first asked for.
    """
    reply_to = f"serving:loaded:{uuid4().hex}"
    asked = {"model_ids": [str(model_id) for model_id in model_ids], "reply_to": reply_to}
    try:
        processes = client.publish(WARM_CHANNEL, orjson.dumps(asked))
    except redis.RedisError as error:
        logger.warning("models are loaded when they are first asked for: %s", error)
        processes = 0
    return Loading(client=client, reply_to=reply_to, processes=processes)


def warm_after(session: "Session", client: "Redis[bytes]", model_ids: Sequence[UUID]) -> None:
    """`warm` as soon as the session's transaction is committed, which makes the versions; nothing
    when it is not.
    """
    event.listen(session, "after_commit", lambda _: warm(client, model_ids), once=True)
