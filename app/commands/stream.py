"""Commands from the Redis stream `commands`, by a consumer group.

An entry is acknowledged after its job is stored, or after it lies in `commands.dead` with the
problem. Who dies in between leaves it to be claimed by another, and the command's own id makes the
second submission the first job again. An outage leaves entries where they are.
"""

import logging
from collections.abc import Sequence
from typing import Any

import orjson
from redis import Redis
from redis.exceptions import ResponseError

from app.commands.door import LATER, MOST_BYTES, OUTAGES, hand_in
from app.commands.submitting import Send
from app.core.errors import InternalError, Problem, RetortError
from app.resources import Resources

logger = logging.getLogger(__name__)

STREAM, DEAD, GROUP = "commands", "commands.dead", "retort"
#: entries of one look, and of dead ones that are kept
_BATCH = 50
_MOST_DEAD = 10_000
#: what a consumer holds for longer is taken from it (ms); more than a look can last
_ABANDONED_MS = 60_000
#: an entry that was taken so often, once a minute, stops whoever takes it
_MOST_TIMES = 100

Entry = tuple[bytes, dict[bytes, bytes]]


def take(
    resources: Resources, consumer: str, send: Send, *, abandoned_ms: int = _ABANDONED_MS
) -> int:
    """What dead consumers held, then what is new; how many commands were dealt with. Raises
    redis.RedisError.
    """
    redis = resources.redis
    if not redis.exists(STREAM):
        return 0
    _make_group(redis)
    done = 0
    for entry in [*_abandoned(redis, consumer, abandoned_ms), *_new(redis, consumer)]:
        try:
            done += _deal(resources, entry, send)
        except OUTAGES as error:
            logger.warning("commands wait for Postgres: %s", type(error).__name__)
            return done
    return done


def _deal(resources: Resources, entry: Entry, send: Send) -> bool:
    """False: it stays for later."""
    entry_id, fields = entry
    try:
        hand_in(resources, fields.get(b"command", b""), send)
    except LATER as error:
        logger.info("the command %s waits: %s", entry_id.decode(), error.detail)
        return False
    except RetortError as error:
        _bury(resources.redis, entry, error.problem())
        return True
    _acknowledge(resources.redis, entry_id)
    return True


def _bury(redis: "Redis[bytes]", entry: Entry, problem: Problem) -> None:
    """Both at once: it lies there exactly when it is acknowledged."""
    entry_id, fields = entry
    dead: dict[Any, Any] = {
        "command": fields.get(b"command", b"")[:MOST_BYTES],
        "problem": orjson.dumps(problem),
        "entry": entry_id,
    }
    with redis.pipeline(transaction=True) as pipe:
        pipe.xadd(DEAD, dead, maxlen=_MOST_DEAD, approximate=True)
        _acknowledge(pipe, entry_id)
        pipe.execute()


def _acknowledge(redis: Any, entry_id: bytes) -> None:
    redis.xack(STREAM, GROUP, entry_id)


def _make_group(redis: "Redis[bytes]") -> None:
    try:
        redis.xgroup_create(STREAM, GROUP, id="0")
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise


def _new(redis: "Redis[bytes]", consumer: str) -> Sequence[Entry]:
    found: Any = redis.xreadgroup(GROUP, consumer, {STREAM: ">"}, count=_BATCH)
    return [entry for _, entries in found for entry in entries]


def _abandoned(redis: "Redis[bytes]", consumer: str, idle_ms: int) -> Sequence[Entry]:
    """Those that nobody finished in time; one that was taken too often is buried."""
    answer: Any = redis.xautoclaim(STREAM, GROUP, consumer, idle_ms, "0-0", count=_BATCH)
    kept = []
    for entry in answer[1]:
        held: Any = redis.xpending_range(STREAM, GROUP, min=entry[0], max=entry[0], count=1)
        if held and held[0]["times_delivered"] > _MOST_TIMES:
            error = InternalError("whoever took this command did not finish it, again and again")
            _bury(redis, entry, error.problem())
        else:
            kept.append(entry)
    return kept
