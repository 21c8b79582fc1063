"""How much waits and runs now, for instruments: each figure read in bounded time."""

from dataclasses import dataclass
from typing import Any, LiteralString

from app.db.database import Cursor, Database
from app.jobs.store import queue_figures

#: of jobs that have not ended
STATES = ("waiting", "queued", "running", "retrying")
_CHUNKS: LiteralString = """
SELECT j.queue, c.state, count(*)::int AS number FROM job_chunks c JOIN jobs j ON j.id = c.job_id
WHERE c.state IN ('queued', 'running') GROUP BY j.queue, c.state
"""
_OVERDUE: LiteralString = """
SELECT coalesce(max(extract(epoch FROM now() - lease_expires_at)), 0)::float AS seconds
FROM jobs WHERE state = 'running' AND lease_expires_at < now()
"""
_EVENTS: LiteralString = """
SELECT reader.name, newest.seq - reader.seq AS number
FROM event_cursors reader JOIN event_cursors newest ON newest.name = 'publisher'
WHERE reader.name <> 'publisher'
"""


@dataclass(frozen=True, kw_only=True)
class Figures:
    #: (queue, state) of jobs that have not ended
    jobs: dict[tuple[str, str], int]
    #: queue -> seconds that the oldest queued job is old
    oldest_queued: dict[str, float]
    #: (queue of the job, queued | running)
    chunks: dict[tuple[str, str], int]
    #: seconds since the first lease that nobody renewed or took back ran out
    lease_overdue: float
    #: reader of the log (redis, kafka) -> published events that it has not had
    events_waiting: dict[str, int]


def read_figures(database: Database) -> Figures:
    """Raises psycopg's errors."""
    queues = queue_figures(database)
    with database.cursor() as cursor:
        chunks = _rows(cursor, _CHUNKS)
        (overdue,) = _rows(cursor, _OVERDUE)
        events = _rows(cursor, _EVENTS)
    return Figures(
        jobs={(row["queue"], state): row[state] for row in queues for state in STATES},
        oldest_queued={row["queue"]: row["oldest_seconds"] for row in queues},
        chunks={(row["queue"], row["state"]): row["number"] for row in chunks},
        lease_overdue=overdue["seconds"],
        events_waiting={row["name"]: row["number"] for row in events},
    )


def _rows(cursor: Cursor, query: LiteralString) -> list[dict[str, Any]]:
    cursor.execute(query)
    return cursor.fetchall()
