"""Reading the published log: newest first page by page, or onward from a place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from app.core.ids import first_id
from app.db.database import Cursor, Database
from app.events.envelope import COLUMNS, Event
from app.events.publisher import last_published


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which events of a project."""

    project_id: UUID
    types: Sequence[str] = ()
    subject: str | None = None
    correlation_id: str | None = None
    #: written at this time or later
    since: datetime | None = None


_WHERE: LiteralString = """
e.project_id = %(project_id)s
AND (%(types)s::text[] IS NULL OR e.type = ANY(%(types)s))
AND (%(subject)s::text IS NULL OR e.subject = %(subject)s)
AND (%(correlation_id)s::text IS NULL OR e.correlation_id = %(correlation_id)s)
AND (%(since)s::timestamptz IS NULL OR e.at >= %(since)s)
"""


def newest(cursor: Cursor, wanted: Wanted, *, limit: int, before: int | None) -> list[Event]:
    """Newest first; `before`: the place that the page before ended with."""
    cursor.execute(
        f"SELECT {COLUMNS} FROM events e WHERE {_WHERE} AND e.seq IS NOT NULL"
        " AND (%(before)s::bigint IS NULL OR e.seq < %(before)s)"
        " ORDER BY e.seq DESC LIMIT %(limit)s",
        {**_values(wanted), "before": before, "limit": limit},
    )
    return [Event(**row) for row in cursor.fetchall()]


def find_event(cursor: Cursor, event_id: UUID) -> Event | None:
    """Also one that is not published yet."""
    cursor.execute(f"SELECT {COLUMNS} FROM events e WHERE e.id = %s", (event_id,))
    row = cursor.fetchone()
    return None if row is None else Event(**row)


def following(
    database: Database, wanted: Wanted, *, after: int, limit: int = 200
) -> tuple[list[Event], int]:
    """Oldest first, those behind the place `after`, and the place to go on from: all events up to
    it have been looked at.
    """
    with database.cursor() as cursor:
        last = last_published(cursor)
        cursor.execute(
            f"SELECT {COLUMNS} FROM events e WHERE {_WHERE} AND e.seq > %(after)s"
            " AND e.seq <= %(last)s ORDER BY e.seq LIMIT %(limit)s",
            {**_values(wanted), "after": after, "last": last, "limit": limit},
        )
        found = [Event(**row) for row in cursor.fetchall()]
    return found, found[-1].seq if len(found) == limit else max(after, last)


def place_since(cursor: Cursor, since: datetime) -> int:
    """The place before the first event that was written at `since` or later."""
    cursor.execute(
        "SELECT min(seq) - 1 AS place FROM events WHERE id >= %s AND at >= %s AND seq IS NOT NULL",
        # ids are of the clocks of many machines
        (first_id(since, -timedelta(minutes=5)), since),
    )
    row = cursor.fetchone()
    if row is not None and row["place"] is not None:
        return int(row["place"])
    cursor.execute("SELECT coalesce(max(seq), 0) AS place FROM events")
    row = cursor.fetchone()
    return int(row["place"]) if row else 0


def remove_old(database: Database, *, days: int, batch: int = 5_000) -> int:
    """Published events older than so many days, with their deliveries; how many went.

    Rows are deleted by ranges of their ids (UUIDv7: by time), a batch a transaction. There are no
    partitions: at ten events a job, a million jobs a month are ten million narrow rows, which this
    clears hourly; partitions would need a process that makes them in time.
    """
    removed = 0
    while True:
        with database.cursor() as cursor:
            cursor.execute(
                "DELETE FROM events WHERE id IN (SELECT id FROM events"
                " WHERE at < now() - make_interval(days => %s) AND seq IS NOT NULL"
                " ORDER BY id LIMIT %s)",
                (days, batch),
            )
            done = cursor.rowcount
        removed += done
        if done < batch:
            return removed


def _values(wanted: Wanted) -> dict[str, Any]:
    return {
        "project_id": wanted.project_id,
        "types": list(wanted.types) or None,
        "subject": wanted.subject,
        "correlation_id": wanted.correlation_id,
        "since": wanted.since,
    }
