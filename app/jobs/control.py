"""What people ask of a job: cancel, retry."""

from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.core.errors import Conflict, JobCancelled
from app.db.database import Cursor, Database
from app.jobs.model import Job
from app.jobs.needs import settle_waiting
from app.jobs.states import JobState, Trigger
from app.jobs.store import fetch_job
from app.jobs.transition import FINISH, transition

_ONE: LiteralString = "id = %(id)s AND project_id = %(project_id)s"


def request_cancel(db: Database, project_id: UUID, job_id: UUID, *, by: str) -> Job:
    """Cancelled at once when nobody works on it; else asked to stop (and killed after the grace).

    Asking twice, or for a job that has ended, changes nothing and gives the job as it is.
    """
    problem = JobCancelled(f"cancelled by {by}").problem()
    values: dict[str, Any] = {"id": job_id, "project_id": project_id, "error": Jsonb(problem)}
    with db.cursor() as cursor:
        job = fetch_job(cursor, project_id, job_id)
        moved = transition(
            cursor,
            Trigger.CANCEL,
            condition=_ONE,
            assign=FINISH + ", error = %(error)s, cancel_requested_at = now()",
            values=values,
            event={"by": by},
        )
        if moved:
            settle_waiting(cursor, after=job.id)
        elif job.state is JobState.RUNNING:
            _ask_to_stop(cursor, job, by)
        return fetch_job(cursor, project_id, job_id)


def _ask_to_stop(cursor: Cursor, job: Job, by: str) -> None:
    cursor.execute(
        "UPDATE jobs SET cancel_requested_at = now(), version = version + 1"
        " WHERE id = %s AND state = 'running' AND cancel_requested_at IS NULL RETURNING id",
        (job.id,),
    )
    if cursor.fetchone() is None:
        return
    cursor.execute(
        "INSERT INTO job_events (job_id, type, data) VALUES (%s, 'cancel_requested', %s)",
        (job.id, Jsonb({"by": by})),
    )
    cursor.execute("SELECT pg_notify('retort_jobs', %s)", (str(job.id),))


def retry_failed(db: Database, project_id: UUID, job_id: UUID, *, by: str) -> Job:
    """Queue a failed job once more, with one more attempt. Raises Conflict for other states."""
    with db.cursor() as cursor:
        job = fetch_job(cursor, project_id, job_id)
        moved = transition(
            cursor,
            Trigger.RETRY_BY_HAND,
            condition=_ONE,
            assign=", max_attempts = greatest(max_attempts, attempt + 1), crash_count = 0,"
            " finished_at = NULL, error = NULL, cancel_requested_at = NULL, deadline_at = NULL,"
            " dispatched_at = now(), dispatch_count = 1",
            values={"id": job_id, "project_id": project_id},
            event={"by": by},
        )
        if not moved:
            raise Conflict(
                f"the job is {job.state}; only a failed job can be retried",
                remedy="Use rerun to run the same parameters as a new job.",
            )
        return fetch_job(cursor, project_id, job_id)
