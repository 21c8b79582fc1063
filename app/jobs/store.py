"""Reading jobs: one by id, lists by keyset, events, attempts, chunks."""

from collections.abc import Collection
from typing import Any, LiteralString
from uuid import UUID

from app.core.errors import NotFound
from app.db.database import Cursor, Database
from app.jobs.filters import JobFilter
from app.jobs.model import JOB_COLUMNS, Job, JobEvent

# without itself: see UNFILLED in needs.py
_NEEDS: LiteralString = (
    "ARRAY(SELECT needs_job_id FROM job_needs WHERE job_needs.job_id = jobs.id"
    " AND needs_job_id <> jobs.id) AS needs"
)
_GET: LiteralString = (
    f"SELECT {JOB_COLUMNS}, {_NEEDS} FROM jobs WHERE id = %(id)s AND project_id = %(project_id)s"
)
_LIST: LiteralString = (
    f"SELECT {JOB_COLUMNS}, {_NEEDS} FROM jobs WHERE {{}} ORDER BY id DESC LIMIT %(limit)s"
)


def fetch_job(cursor: Cursor, project_id: UUID, job_id: UUID, *, lock: bool = False) -> Job:
    """`lock`: until the transaction ends nobody else changes it. Raises NotFound."""
    query: LiteralString = f"{_GET} FOR UPDATE" if lock else _GET
    cursor.execute(query, {"id": job_id, "project_id": project_id})
    row = cursor.fetchone()
    if row is None:
        raise no_such_job(job_id)
    return Job.from_row(row)


def no_such_job(job_id: UUID) -> NotFound:
    return NotFound(f"there is no job {job_id}")


def fetch_jobs_of(cursor: Cursor, project_id: UUID, correlation_id: str) -> list[Job]:
    """Oldest first, at most 1,000."""
    cursor.execute(
        f"SELECT {JOB_COLUMNS}, {_NEEDS} FROM jobs WHERE correlation_id = %s AND project_id = %s"
        " ORDER BY id LIMIT 1000",
        (correlation_id, project_id),
    )
    return [Job.from_row(row) for row in cursor.fetchall()]


def get_job(db: Database, project_id: UUID, job_id: UUID) -> Job:
    """Raises NotFound, also for a job of another project."""
    with db.cursor() as cursor:
        return fetch_job(cursor, project_id, job_id)


def fetch_jobs(cursor: Cursor, ids: Collection[UUID]) -> list[Job]:
    """Newest first; those that are gone are left out."""
    cursor.execute(
        f"SELECT {JOB_COLUMNS}, {_NEEDS} FROM jobs WHERE id = ANY(%s) ORDER BY id DESC",
        (list(ids),),
    )
    return [Job.from_row(row) for row in cursor.fetchall()]


def list_jobs(
    db: Database,
    project_id: UUID,
    *,
    limit: int = 50,
    before_id: UUID | None = None,
    **filters: Any,
) -> list[Job]:
    """Newest first; ids grow with time, so `before_id` is a stable place in the list. `filters`:
    fields of JobFilter. It may look at every job of the project: lists for people are made by
    listing.py.
    """
    where, values = JobFilter(**filters).where(project_id)
    if before_id is not None:
        where += " AND id < %(before_id)s"
    with db.cursor() as cursor:
        cursor.execute(_LIST.format(where), {**values, "before_id": before_id, "limit": limit})
        return [Job.from_row(row) for row in cursor.fetchall()]


def list_events(
    db: Database, job_id: UUID, *, after_id: int = 0, limit: int = 500
) -> list[JobEvent]:
    """In order; `after_id` is the last event already seen."""
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT id, job_id, at, type, data FROM job_events"
            " WHERE job_id = %s AND id > %s ORDER BY id LIMIT %s",
            (job_id, after_id, limit),
        )
        return [JobEvent(**row) for row in cursor.fetchall()]


def list_attempts(db: Database, job_id: UUID) -> list[dict[str, Any]]:
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT attempt, worker, started_at, ended_at, outcome, error, cpu_seconds,"
            " peak_memory_bytes FROM job_attempts"
            " WHERE job_id = %s ORDER BY attempt",
            (job_id,),
        )
        return cursor.fetchall()


def list_chunks(db: Database, job_id: UUID) -> list[dict[str, Any]]:
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT chunk, state, start_row, stop_row, attempt, crash_count, worker, error,"
            " started_at, finished_at FROM job_chunks WHERE job_id = %s ORDER BY chunk",
            (job_id,),
        )
        return cursor.fetchall()


def queue_figures(db: Database) -> list[dict[str, Any]]:
    """Per queue: its jobs that have not ended, by state, and the age of the oldest queued one
    (seconds).
    """
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT queue, count(*) FILTER (WHERE state = 'waiting') AS waiting,"
            " count(*) FILTER (WHERE state = 'queued') AS queued,"
            " count(*) FILTER (WHERE state = 'retrying') AS retrying,"
            " count(*) FILTER (WHERE state = 'running') AS running,"
            " coalesce(extract(epoch FROM now() - min(created_at)"
            "   FILTER (WHERE state = 'queued')), 0)::float AS oldest_seconds"
            " FROM jobs WHERE state IN ('waiting', 'queued', 'running', 'retrying')"
            " GROUP BY queue ORDER BY queue"
        )
        return cursor.fetchall()
