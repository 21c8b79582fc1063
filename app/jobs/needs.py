"""Jobs that wait for other jobs: promoted or failed when those end."""

from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.core.errors import DependencyFailed
from app.db.database import Cursor
from app.jobs.model import Job
from app.jobs.states import Trigger
from app.jobs.transition import FINISH, transition

_ONLY: LiteralString = (
    "(%(only)s::uuid IS NULL OR jobs.id = %(only)s) AND (%(after)s::uuid IS NULL OR EXISTS ("
    "SELECT 1 FROM job_needs n WHERE n.job_id = jobs.id AND n.needs_job_id = %(after)s))"
)
#: holds for a job that needs nothing, or nothing that has not succeeded
ALL_MET: LiteralString = (
    "NOT EXISTS (SELECT 1 FROM job_needs n JOIN jobs needed ON needed.id = n.needs_job_id"
    " WHERE n.job_id = jobs.id AND needed.state <> 'succeeded')"
)
#: the same but for itself: a job "needs itself" while values of the others are still to be filled
#: into its params (app/kinds/deferred.py). ALL_MET never holds for it, in the engine of the
#: release before as in this one, so that nobody queues it unfilled
OTHERS_MET: LiteralString = (
    "NOT EXISTS (SELECT 1 FROM job_needs n JOIN jobs needed ON needed.id = n.needs_job_id"
    " WHERE n.job_id = jobs.id AND needed.id <> jobs.id AND needed.state <> 'succeeded')"
)
UNFILLED: LiteralString = (
    "EXISTS (SELECT 1 FROM job_needs n WHERE n.job_id = jobs.id AND n.needs_job_id = jobs.id)"
)
_ONE_FAILED: LiteralString = (
    "EXISTS (SELECT 1 FROM job_needs n JOIN jobs needed ON needed.id = n.needs_job_id"
    " WHERE n.job_id = jobs.id AND needed.state IN ('failed', 'cancelled'))"
)


def settle_waiting(
    cursor: Cursor, *, only: UUID | None = None, after: UUID | None = None
) -> list[Job]:
    """Queue waiting jobs whose needs have all succeeded, fail those with a need that did not.

    `only`: look at this job; `after`: at the jobs that need this one; neither: at all (sweeper).
    Gives the jobs to publish. Failing a job fails those that need it in turn.
    """
    values = {"only": only, "after": after}
    error = DependencyFailed("a job that this one needs failed or was cancelled").problem()
    failed = transition(
        cursor,
        Trigger.NEED_FAILED,
        condition=f"{_ONLY} AND {_ONE_FAILED}",
        assign=FINISH + ", error = %(error)s",
        values={**values, "error": Jsonb(error)},
        event={"error": error},
    )
    ready = transition(
        cursor,
        Trigger.NEEDS_MET,
        condition=f"{_ONLY} AND {ALL_MET}",
        assign=", dispatched_at = now(), dispatch_count = dispatch_count + 1",
        values=values,
    )
    for job in failed:
        ready += settle_waiting(cursor, after=job.id)
    return ready
