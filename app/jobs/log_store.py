"""Lines that the code of an attempt logged, in Postgres; and what the attempt cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db.database import Cursor, Database
from app.jobs.filters import like

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_DELETE_AT_ONCE = 10_000


@dataclass(frozen=True, kw_only=True)
class LogLine:
    at: datetime
    #: one of LEVELS
    level: str
    logger: str
    #: secrets masked
    text: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """One claim of a job, or of one of its chunks."""

    job_id: UUID
    #: the job's
    attempt: int
    chunk: int | None = None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a process used while it ran something."""

    cpu_seconds: float
    peak_memory_bytes: int


_INSERT: LiteralString = (
    "INSERT INTO job_logs (job_id, attempt, chunk, at, level, logger, text)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s)"
)


def append_lines(db: Database, run: Run, lines: Sequence[LogLine]) -> None:
    with db.cursor() as cursor:
        _insert(cursor, run, lines)


def _insert(cursor: Cursor, run: Run, lines: Sequence[LogLine]) -> None:
    cursor.executemany(
        _INSERT,
        [
            (run.job_id, run.attempt, run.chunk, line.at, line.level, line.logger, line.text)
            for line in lines
        ],
    )


def close_run(db: Database, run: Run, lines: Sequence[LogLine], usage: Usage) -> None:
    """The last lines, and what it cost: added up over plan, chunks and finalize, the peak of the
    largest.
    """
    with db.cursor() as cursor:
        _insert(cursor, run, lines)
        cursor.execute(
            "UPDATE job_attempts SET cpu_seconds = coalesce(cpu_seconds, 0) + %s,"
            " peak_memory_bytes = greatest(peak_memory_bytes, %s)"
            " WHERE job_id = %s AND attempt = %s",
            (usage.cpu_seconds, usage.peak_memory_bytes, run.job_id, run.attempt),
        )


def list_lines(
    db: Database,
    job_id: UUID,
    *,
    attempt: int | None = None,
    chunk: int | None = None,
    level: str = "DEBUG",
    q: str | None = None,
    after: int = 0,
    limit: int = 200,
) -> list[dict[str, Any]]:
    """Oldest first: of this level or a worse one, with `q` in the text (in any case)."""
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT id, at, attempt, chunk, lower(level) AS level, logger, text FROM job_logs"
            " WHERE job_id = %(job_id)s AND id > %(after)s"
            " AND (%(attempt)s::bigint IS NULL OR attempt = %(attempt)s)"
            " AND (%(chunk)s::bigint IS NULL OR chunk = %(chunk)s)"
            " AND level = ANY(%(levels)s) AND (%(q)s::text IS NULL OR text ILIKE %(q)s)"
            " ORDER BY id LIMIT %(limit)s",
            {
                "job_id": job_id,
                "after": after,
                "attempt": attempt,
                "chunk": chunk,
                "levels": list(LEVELS[LEVELS.index(level) :]),
                "q": None if q is None else like(q),
                "limit": limit,
            },
        )
        return cursor.fetchall()


def delete_old_lines(db: Database, *, days: int) -> int:
    """How many were removed; a transaction for every ten thousand."""
    removed = 0
    while True:
        with db.cursor() as cursor:
            cursor.execute(
                "DELETE FROM job_logs WHERE id IN (SELECT id FROM job_logs"
                " WHERE at < now() - make_interval(days => %s) LIMIT %s)",
                (days, _DELETE_AT_ONCE),
            )
            removed += cursor.rowcount
            if cursor.rowcount < _DELETE_AT_ONCE:
                return removed
