"""What people ask of a job: cancel, retry."""

from collections.abc import Callable
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from app.core.errors import Conflict, JobCancelled
from app.db.database import Cursor, Database, cursor_of
from app.jobs.model import Job
from app.jobs.needs import ALL_MET, settle_waiting
from app.jobs.states import JobState, Trigger
from app.jobs.store import fetch_job
from app.jobs.transition import FINISH, transition

#: what a retry does beside, in its transaction
Prepare = Callable[[Session, Job], None]


def request_cancel(db: Database, project_id: UUID, job_id: UUID, *, by: str) -> Job:
    """Cancelled at once when nobody works on it; else asked to stop (and killed after the grace).

    Asking twice, or for a job that has ended, changes nothing and gives the job as it is.
    """
    with db.cursor() as cursor:
        job = fetch_job(cursor, project_id, job_id)
        cancel_all(cursor, [job.id], by=by)
        return fetch_job(cursor, project_id, job_id)


def cancel_all(
    cursor: Cursor, job_ids: list[UUID], *, by: str, event: dict[str, Any] | None = None
) -> list[UUID]:
    """Those of the jobs that this cancelled, or asked to stop."""
    told = {"by": by, **(event or {})}
    moved = transition(
        cursor,
        Trigger.CANCEL,
        condition="id = ANY(%(ids)s)",
        assign=FINISH + ", error = %(error)s, cancel_requested_at = now()",
        values={"ids": job_ids, "error": Jsonb(JobCancelled(f"cancelled by {by}").problem())},
        event=told,
    )
    for job in moved:
        settle_waiting(cursor, after=job.id)
    cursor.execute(_ASK_TO_STOP, {"ids": job_ids, "event": Jsonb(told)})
    return [job.id for job in moved] + [row["id"] for row in cursor.fetchall()]


_ASK_TO_STOP: LiteralString = """
WITH asked AS (
    UPDATE jobs SET cancel_requested_at = now(), version = version + 1
    WHERE id = ANY(%(ids)s) AND state = 'running' AND cancel_requested_at IS NULL RETURNING id
), told AS (
    INSERT INTO job_events (job_id, type, data)
    SELECT id, 'cancel_requested', %(event)s FROM asked
)
SELECT id, pg_notify('retort_jobs', id::text) FROM asked ORDER BY id
"""


def retry_failed(
    db: Database,
    project_id: UUID,
    job_id: UUID,
    *,
    by: str,
    event: dict[str, Any] | None = None,
    prepare: Prepare | None = None,
) -> Job:
    """Queue a failed job once more, with one more attempt. Of a divided job only the chunks without
    an answer run again (chunks.py, resume). `prepare` may do what else it takes, in the same
    transaction.

    Raises Conflict for other states, and while a job that this one needs has not succeeded.
    """
    with db.session() as session:
        cursor = cursor_of(session)
        job = fetch_job(cursor, project_id, job_id, lock=True)
        _check_retry(cursor, job)
        if prepare is not None:
            prepare(session, job)
        if not requeue(cursor, [job.id], event={"by": by, **(event or {})}):
            raise Conflict("a job that this one needs has not succeeded yet")
        return fetch_job(cursor, project_id, job_id)


def requeue(cursor: Cursor, job_ids: list[UUID], *, event: dict[str, Any]) -> list[Job]:
    """Those of the jobs that had failed and whose needs have all succeeded, queued again."""
    return transition(
        cursor,
        Trigger.RETRY_BY_HAND,
        condition=f"id = ANY(%(ids)s) AND {ALL_MET}",
        assign=", max_attempts = greatest(max_attempts, attempt + 1), crash_count = 0,"
        " finished_at = NULL, error = NULL, cancel_requested_at = NULL, deadline_at = NULL,"
        " dispatched_at = now(), dispatch_count = 1",
        values={"ids": job_ids},
        event=event,
    )


def _check_retry(cursor: Cursor, job: Job) -> None:
    if job.state is JobState.SUCCEEDED:
        raise Conflict(
            "the job has succeeded, and stays as it ended; only a failed job can be retried",
            remedy="Use rerun to run it as a new job. Rows that it refused stand in its rejected"
            " file with their reasons: mend them and post that file.",
        )
    if job.state is not JobState.FAILED:
        raise Conflict(
            f"the job is {job.state}; only a failed job can be retried",
            remedy="Use rerun to run the same parameters as a new job.",
        )
    cursor.execute(
        "SELECT id, state FROM jobs WHERE id = ANY(%s) AND state <> 'succeeded' ORDER BY id",
        (list(job.needs),),
    )
    open_ = cursor.fetchone()
    if open_ is not None:
        raise Conflict(
            f"job {open_['id']}, which this one needs, is {open_['state']}",
            remedy="Retry that job first, and this one when it has succeeded.",
        )
