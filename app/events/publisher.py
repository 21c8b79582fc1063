"""Publishing: each committed event gets its place in the order, then goes to the Redis stream.

The order is made after the commit: a row's `number` is drawn before its transaction ends, so that
who reads by numbers would miss what commits late. `seq` is given by whoever holds the row
`publisher`, to rows that everybody can see; nothing ever appears below it.

Both steps may be killed anywhere: the first is one transaction, the second a relay (relay.py). Two
publishers at once: the second finds the row locked and goes home.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from redis import Redis

from app.db.database import Cursor, Database
from app.events.envelope import Event, as_bytes
from app.events.relay import BATCH, advance, hold, in_rounds, relay

#: the Redis stream, and about how many entries it keeps
STREAM = "events"
STREAM_LENGTH = 100_000

PUBLISHER, REDIS = "publisher", "redis"

_SEQUENCE: LiteralString = """
WITH waiting AS (
    SELECT number FROM events WHERE seq IS NULL ORDER BY number LIMIT %(batch)s
), ranked AS (
    SELECT number, row_number() OVER (ORDER BY number) AS place FROM waiting
)
UPDATE events SET seq = %(last)s + ranked.place, published_at = clock_timestamp()
FROM ranked WHERE events.number = ranked.number AND events.seq IS NULL
"""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What one round did."""

    sequenced: int
    sent: int


def publish(database: Database, redis: "Redis[bytes]") -> Published:
    """Everything that waits, up to a limit. Raises redis.RedisError: then what was not sent is
    sent by a later round, while readers of Postgres (HTTP, webhooks) have it already.
    """
    sequenced = in_rounds(lambda: sequence(database))
    sent = in_rounds(lambda: send(database, redis))
    return Published(sequenced=sequenced, sent=sent)


def sequence(database: Database, *, batch: int = BATCH) -> int:
    """Give places to committed events, in the order of writing; how many."""
    with database.cursor() as cursor:
        last = hold(cursor, PUBLISHER)
        if last is None:
            return 0
        cursor.execute(_SEQUENCE, {"last": last, "batch": batch})
        given = cursor.rowcount
        if given:
            advance(cursor, PUBLISHER, last + given)
        return given


def send(database: Database, redis: "Redis[bytes]", *, batch: int = BATCH) -> int:
    """The next events to the stream; how many. Entries: id, type, subject, event (JSON)."""

    def deliver(events: Sequence[Event]) -> None:
        with redis.pipeline(transaction=True) as pipe:
            for event in events:
                pipe.xadd(STREAM, _entry(event), maxlen=STREAM_LENGTH, approximate=True)
            pipe.execute()

    return relay(database, REDIS, deliver, batch=batch)


def last_published(cursor: Cursor) -> int:
    """The newest place that was given."""
    cursor.execute("SELECT seq FROM event_cursors WHERE name = %s", (PUBLISHER,))
    row = cursor.fetchone()
    return row["seq"] if row else 0


def _entry(event: Event) -> dict[Any, Any]:
    return {
        "id": str(event.id),
        "seq": event.seq,
        "type": event.type,
        "subject": event.subject,
        "event": as_bytes(event),
    }
