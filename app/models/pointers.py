"""What tells every gateway that a name points elsewhere now: an alias, or an endpoint's routes.

Gateways remember what names mean and compare this word with each request, in the very command that
looks up their answers: after `announce` no gateway uses what it remembered before. It lies in the
cache, whose loss makes them ask Postgres again.
"""

import logging
from typing import TYPE_CHECKING
from uuid import uuid4

import redis
from sqlalchemy import event

if TYPE_CHECKING:
    from redis import Redis
    from sqlalchemy.orm import Session

logger = logging.getLogger(__name__)

#: its value is compared, never understood
POINTERS_KEY = "pointers"


def announce(cache: "Redis[bytes]") -> None:
    """Call it after the commit of anything that changes what a name means. Never raises: a gateway
    that cannot read the word asks Postgres, and none remembers longer than a few seconds.
    """
    try:
        cache.set(POINTERS_KEY, uuid4().hex)
    except redis.RedisError as error:
        logger.warning("gateways learn of a changed name late: %s", error)


def announce_after(session: "Session", cache: "Redis[bytes]") -> None:
    """`announce` as soon as the session's transaction is committed; nothing when it is not."""
    event.listen(session, "after_commit", lambda _: announce(cache), once=True)
