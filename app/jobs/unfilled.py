"""Rows of jobs that wait for values of others (app/kinds/deferred.py fills them in)."""

from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.core.errors import Problem
from app.db.database import Cursor
from app.jobs.model import JOB_COLUMNS, Job
from app.jobs.needs import OTHERS_MET, UNFILLED, settle_waiting
from app.jobs.states import Trigger
from app.jobs.submit import NewJob, insert_needs
from app.jobs.transition import FINISH, transition

_READY: LiteralString = (
    f"SELECT {JOB_COLUMNS} FROM jobs WHERE state = 'waiting' AND {UNFILLED} AND {OTHERS_MET}"
    " AND (%(only)s::uuid IS NULL OR id = %(only)s) AND (%(after)s::uuid IS NULL OR EXISTS ("
    "SELECT 1 FROM job_needs n WHERE n.job_id = jobs.id AND n.needs_job_id = %(after)s))"
    " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
)


def next_ready(cursor: Cursor, *, only: UUID | None, after: UUID | None) -> Job | None:
    """One whose needs have all succeeded, locked; one that somebody else fills in is skipped.
    `only`: this job; `after`: of those that need this one; neither: of all.
    """
    cursor.execute(_READY, {"only": only, "after": after})
    row = cursor.fetchone()
    return None if row is None else Job.from_row(row)


def is_unfilled(cursor: Cursor, job_id: UUID) -> bool:
    cursor.execute(f"SELECT 1 FROM jobs WHERE id = %s AND {UNFILLED}", (job_id,))
    return cursor.fetchone() is not None


def results_of_needs(cursor: Cursor, job: Job) -> dict[str, dict[str, Any]]:
    """By job id, of those that have succeeded, in the job's own project."""
    cursor.execute(
        "SELECT jobs.id, result FROM jobs JOIN job_needs n ON n.needs_job_id = jobs.id"
        " WHERE n.job_id = %s AND jobs.project_id = %s AND state = 'succeeded'",
        (job.id, job.project_id),
    )
    return {str(row["id"]): row["result"] or {} for row in cursor.fetchall()}


def store_filled(cursor: Cursor, new: NewJob) -> None:
    """The job's params whole, its queue and warnings; it needs itself no more, but what
    the resolution of its names has found that it needs.
    """
    cursor.execute(
        "UPDATE jobs SET params = %s, queue = %s, warnings = %s WHERE id = %s",
        (Jsonb(new.params), new.queue, Jsonb(list(new.warnings)), new.id),
    )
    cursor.execute("DELETE FROM job_needs WHERE job_id = %s AND needs_job_id = %s", (new.id,) * 2)
    insert_needs(cursor, new)


def fail_unusable(cursor: Cursor, job: Job, problem: Problem) -> list[Job]:
    """The values are of no use to it; jobs to publish."""
    transition(
        cursor,
        Trigger.NEED_UNUSABLE,
        condition="id = %(id)s",
        assign=FINISH + ", error = %(error)s",
        values={"id": job.id, "error": Jsonb(problem)},
        event={"error": problem},
    )
    return settle_waiting(cursor, after=job.id)
