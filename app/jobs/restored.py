"""After a restore nobody works on what ran when the backup was made: all of it is put back."""

from collections.abc import Collection
from dataclasses import replace
from typing import LiteralString
from uuid import UUID

from app.db.database import Cursor, Database
from app.jobs.model import Job
from app.jobs.states import Trigger
from app.jobs.transition import RELEASE, end_attempt, transition

_REASON = {"reason": "restored from a backup"}
_PUT_BACK: LiteralString = RELEASE + ", attempt = attempt - 1, dispatched_at = NULL"


def release_all(db: Database, *, begin_again: Collection[UUID] = ()) -> dict[str, int]:
    """Running jobs and chunks go back to their queues, no attempt and no crash counted; the
    sweeper sends everything that is queued at its next round. How many there were of each.

    Divided jobs go on: only their running chunks, or their last step, are put back. Those in
    `begin_again` start from their plan, because the backup lacks work files of theirs. To be
    called while no process of the cluster runs.
    """
    with db.cursor() as cursor:
        again = _begin_again(cursor, begin_again)
        jobs = transition(
            cursor,
            Trigger.DRAIN,
            condition="fanned_out_at IS NULL",
            assign=_PUT_BACK,
            event=_REASON,
        )
        _end_attempts(cursor, jobs)
        return {
            "jobs": len(jobs),
            "begun_again": len(again),
            "last_steps": _run(cursor, _LAST_STEPS),
            "chunks": _run(cursor, _CHUNKS),
            "to_send": _run(cursor, _SEND_JOBS) + _run(cursor, _SEND_CHUNKS),
        }


_LAST_STEPS: LiteralString = (
    "UPDATE jobs SET claim_token = NULL, lease_expires_at = NULL, dispatched_at = NULL"
    " WHERE state = 'running' AND claim_token IS NOT NULL"
)
_CHUNKS: LiteralString = (
    "UPDATE job_chunks SET state = 'queued', claim_token = NULL, lease_expires_at = NULL,"
    " attempt = attempt - 1, dispatched_at = NULL WHERE state = 'running'"
)
# what had been sent lay in a Redis that is gone
_SEND_JOBS: LiteralString = "UPDATE jobs SET dispatched_at = NULL WHERE state = 'queued'"
_SEND_CHUNKS: LiteralString = (
    "UPDATE job_chunks c SET dispatched_at = NULL FROM jobs j"
    " WHERE j.id = c.job_id AND j.state = 'running' AND c.state = 'queued'"
)


def _begin_again(cursor: Cursor, ids: Collection[UUID]) -> list[Job]:
    jobs = transition(
        cursor,
        Trigger.DRAIN,
        condition="id = ANY(%(ids)s) AND fanned_out_at IS NOT NULL",
        assign=_PUT_BACK,
        values={"ids": list(ids)},
        event=_REASON | {"begins_again": True},
    )
    _end_attempts(cursor, jobs)
    cursor.execute("DELETE FROM job_chunks WHERE job_id = ANY(%s)", ([job.id for job in jobs],))
    return jobs


def _end_attempts(cursor: Cursor, jobs: list[Job]) -> None:
    for job in jobs:
        # the attempt was given back, so the run that ends here has the next number
        end_attempt(cursor, replace(job, attempt=job.attempt + 1), "drained", None)


def _run(cursor: Cursor, statement: LiteralString) -> int:
    cursor.execute(statement)
    return cursor.rowcount
