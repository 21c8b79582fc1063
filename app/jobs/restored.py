"""After a restore nobody works on what ran when the backup was made: all of it is put back."""

from collections.abc import Collection
from typing import LiteralString
from uuid import UUID

from app.db.database import Cursor, Database
from app.jobs.model import Job
from app.jobs.put_back import put_back_chunks, put_back_jobs, put_back_last_steps

_REASON = {"reason": "restored from a backup"}
_ALL: LiteralString = "true"


def release_all(db: Database, *, begin_again: Collection[UUID] = ()) -> dict[str, int]:
    """Running jobs and chunks go back to their queues, no attempt and no crash counted; the
    sweeper sends everything that is queued at its next round. How many there were of each.

    Divided jobs go on: only their running chunks, or their last step, are put back. Those in
    `begin_again` start from their plan, because the backup lacks work files of theirs. To be
    called while no process of the cluster runs.
    """
    with db.cursor() as cursor:
        again = _begin_again(cursor, begin_again)
        jobs = put_back_jobs(cursor, "fanned_out_at IS NULL", {}, event=_REASON)
        return {
            "jobs": len(jobs),
            "begun_again": len(again),
            "last_steps": put_back_last_steps(cursor, _ALL, {}),
            "chunks": put_back_chunks(cursor, _ALL, {}),
            "to_send": _run(cursor, _SEND_JOBS) + _run(cursor, _SEND_CHUNKS),
        }


# what had been sent lay in a Redis that is gone
_SEND_JOBS: LiteralString = "UPDATE jobs SET dispatched_at = NULL WHERE state = 'queued'"
_SEND_CHUNKS: LiteralString = (
    "UPDATE job_chunks c SET dispatched_at = NULL FROM jobs j"
    " WHERE j.id = c.job_id AND j.state = 'running' AND c.state = 'queued'"
)


def _begin_again(cursor: Cursor, ids: Collection[UUID]) -> list[Job]:
    jobs = put_back_jobs(
        cursor,
        "id = ANY(%(ids)s) AND fanned_out_at IS NOT NULL",
        {"ids": list(ids)},
        event=_REASON | {"begins_again": True},
    )
    cursor.execute("DELETE FROM job_chunks WHERE job_id = ANY(%s)", ([job.id for job in jobs],))
    return jobs


def _run(cursor: Cursor, statement: LiteralString) -> int:
    cursor.execute(statement)
    return cursor.rowcount
