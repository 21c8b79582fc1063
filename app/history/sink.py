"""From the gateway into the history: a list in Redis, emptied into Postgres by the control queue.

An entry leaves the list only after the transaction that stored it has committed. Whoever empties it
dies when he likes: the next one stores the same entries again, which changes nothing, for their ids
are known. Several may empty it at once: each removes what he has read only if it still is where he
read it.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import psycopg
from redis import RedisError

from app.db.database import Cursor, Database
from app.history.entries import HistoryEntry
from app.resources import Resources

if TYPE_CHECKING:
    from redis import Redis
    from redis.asyncio import Redis as AsyncRedis

logger = logging.getLogger(__name__)

#: a list, oldest first, of rows of `predictions` as JSON
PENDING: Final = "predictions:pending"
#: entries that may wait while nobody empties the list: some 100 to 200 MB of memory
MAX_PENDING: Final = 100_000
#: rows of one statement
BATCH: Final = 500

#: what was read goes, unless another has taken it away meanwhile: entries are unique by their ids
_REMOVE: Final = """
if redis.call('LINDEX', KEYS[1], 0) == ARGV[1] then
  redis.call('LTRIM', KEYS[1], ARGV[2], -1)
  return 1
end
return 0
"""


def push(client: "Redis[bytes]", entries: Sequence[HistoryEntry]) -> int:
    """How many of them wait now to be stored; one command. Never raises: an answer that was given
    is not taken back because it cannot be remembered. Above MAX_PENDING the newest are dropped.
    """
    if not entries:
        return 0
    try:
        length = client.rpush(PENDING, *(entry.body for entry in entries))
        if length > MAX_PENDING:
            client.ltrim(PENDING, 0, MAX_PENDING - 1)
    except RedisError as error:
        return _lost(len(entries), error)
    return _kept(len(entries), length)


async def push_soon(client: "AsyncRedis[bytes]", entries: Sequence[HistoryEntry]) -> int:
    """`push` for a coroutine."""
    if not entries:
        return 0
    try:
        length = await client.rpush(PENDING, *(entry.body for entry in entries))
        if length > MAX_PENDING:
            await client.ltrim(PENDING, 0, MAX_PENDING - 1)
    except RedisError as error:
        return _lost(len(entries), error)
    return _kept(len(entries), length)


def _lost(count: int, error: Exception) -> int:
    logger.warning("%d predictions will not be in the history: %s", count, error)
    return 0


def _kept(count: int, length: int) -> int:
    dropped = min(count, max(0, length - MAX_PENDING))
    if dropped:
        logger.error(
            "%d predictions are dropped: %d wait to be stored already; does a worker of the"
            " queue control run?",
            *(dropped, MAX_PENDING),
        )
    return count - dropped


def drain(resources: Resources, *, most: int = 50_000) -> int:
    """Store what waits, about `most` entries at the most; how many of them were new in Postgres.
    Raises what Postgres and Redis raise when they are away; nothing is lost then.
    """
    stored = 0
    for _ in range(0, most, BATCH):
        waiting = resources.redis.lrange(PENDING, 0, BATCH - 1)
        if not waiting:
            break
        stored += store(resources.database, waiting)
        remove: Any = resources.redis.eval
        remove(_REMOVE, 1, PENDING, waiting[0], len(waiting))
        if len(waiting) < BATCH:
            break
    return stored


def store(database: Database, rows: Sequence[bytes]) -> int:
    """How many were new. What Postgres refuses by itself (no JSON, no such project) is logged and
    left out, so that it does not stand in the way of the others for ever.
    """
    try:
        with database.cursor() as cursor:
            return _insert(cursor, rows)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        if len(rows) == 1:
            logger.error("a prediction cannot be stored: %s: %.1000r", error, rows[0])  # noqa: TRY400 - of data, not of code
            return 0
    return sum(store(database, half) for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]))


def _insert(cursor: Cursor, rows: Sequence[bytes]) -> int:
    """The JSON is read by Postgres alone."""
    cursor.execute(_INSERT, {"rows": b"[" + b",".join(rows) + b"]"})
    return cursor.rowcount


_INSERT: Any = """
INSERT INTO predictions (
  id, project_id, created_at, created_by, model_id, model_name, model_number, endpoint_id,
  endpoint_revision, mode, input_hash, structure, structure_key, inchikey, input, output, cached,
  latency_ms, request_id, expires_at
)
SELECT
  id, project_id, created_at, created_by, model_id, model_name, model_number, endpoint_id,
  endpoint_revision, mode, input_hash, output->>'canonical_smiles',
  left(encode(sha256(convert_to(output->>'canonical_smiles', 'UTF8')), 'hex'), 32),
  output->>'inchikey', input, output, cached, latency_ms, request_id, expires_at
FROM jsonb_to_recordset(convert_from(%(rows)s, 'UTF8')::jsonb) AS entry (
  id uuid, project_id uuid, created_at timestamptz, created_by text, model_id uuid,
  model_name text, model_number bigint, endpoint_id uuid, endpoint_revision bigint, mode text,
  input_hash text, input jsonb, output jsonb, cached boolean, latency_ms double precision,
  request_id text, expires_at timestamptz
)
ON CONFLICT (id) DO NOTHING
"""
