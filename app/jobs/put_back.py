"""Work goes back to its queue without spending an attempt: a worker drains, a backup was restored.

`condition` is SQL over the table's columns, `values` its parameters. What is put back counts as not
sent, so that the sweeper sends it at its next round.
"""

from dataclasses import replace
from typing import Any, LiteralString

from app.db.database import Cursor
from app.jobs.model import Job
from app.jobs.states import Trigger
from app.jobs.transition import RELEASE, end_attempt, transition

Values = dict[str, Any]

_GIVEN_BACK: LiteralString = ", attempt = attempt - 1, dispatched_at = NULL"
_UNOWNED: LiteralString = "claim_token = NULL, lease_expires_at = NULL"


def put_back_jobs(
    cursor: Cursor, condition: LiteralString, values: Values, *, event: Values | None = None
) -> list[Job]:
    """Running jobs as wholes; a divided one begins again from its plan."""
    jobs = transition(
        cursor,
        Trigger.DRAIN,
        condition=condition,
        assign=RELEASE + _GIVEN_BACK,
        values=values,
        event=event or {},
    )
    for job in jobs:
        # the attempt was given back, so the run that ends here has the next number
        end_attempt(cursor, replace(job, attempt=job.attempt + 1), "drained", None)
    return jobs


def put_back_last_steps(cursor: Cursor, condition: LiteralString, values: Values) -> int:
    """The last step of divided jobs: their chunks have ended and are kept."""
    cursor.execute(
        f"UPDATE jobs SET {_UNOWNED}, dispatched_at = NULL"
        f" WHERE state = 'running' AND claim_token IS NOT NULL AND {condition}",
        values,
    )
    return cursor.rowcount


def put_back_chunks(cursor: Cursor, condition: LiteralString, values: Values) -> int:
    """Running chunks."""
    cursor.execute(
        f"UPDATE job_chunks SET state = 'queued', {_UNOWNED}{_GIVEN_BACK}"
        f" WHERE state = 'running' AND {condition}",
        values,
    )
    return cursor.rowcount
