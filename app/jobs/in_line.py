"""What a worker that asks Postgres instead of a broker may begin with (`workers.take_one`)."""

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from app.db.database import Database
from app.jobs.chunks import READY
from app.jobs.states import JobState

_LIMIT = 20

_MAY_RUN: LiteralString = "(deadline_at IS NULL OR deadline_at > now())"

#: first whole jobs; then divided ones of which a chunk waits, or nothing but the last step is left
_NEXT: LiteralString = f"""
SELECT id, kind, state = 'running' AS divided FROM jobs
WHERE queue = %(queue)s AND {_MAY_RUN} AND (state = 'queued' OR (
    state = 'running' AND fanned_out_at IS NOT NULL AND claim_token IS NULL
    AND cancel_requested_at IS NULL AND (
        EXISTS (SELECT 1 FROM job_chunks c WHERE c.job_id = jobs.id AND {READY})
        OR NOT EXISTS (SELECT 1 FROM job_chunks c WHERE c.job_id = jobs.id
                       AND c.state IN ('queued', 'running')))))
ORDER BY divided, priority DESC, id LIMIT {_LIMIT}
"""

_PARTS: LiteralString = f"""
SELECT state, claim_token IS NOT NULL AS owned, fanned_out_at IS NOT NULL AS divided, ARRAY(
    SELECT chunk FROM job_chunks c WHERE c.job_id = jobs.id AND {READY} ORDER BY chunk
    LIMIT {_LIMIT}) AS ready, EXISTS (
    SELECT 1 FROM job_chunks c WHERE c.job_id = jobs.id AND c.state IN ('queued', 'running')
) AS open
FROM jobs WHERE id = %(id)s
"""


@dataclass(frozen=True, kw_only=True)
class InLine:
    """A job that may be begun, or a divided one that lacks hands."""

    id: UUID
    kind: str
    divided: bool


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far a job is."""

    state: JobState
    #: somebody works on the job itself
    owned: bool
    #: its chunks run, or have run, in this attempt
    divided: bool
    #: chunks that wait for a process, at most 20
    ready: list[int]
    #: whether any chunk has not ended
    open: bool


def in_line(db: Database, queue: str) -> list[InLine]:
    """At most 20, the most urgent first and among equals the oldest. To look is not to claim:
    whoever claims first has it.
    """
    with db.cursor() as cursor:
        cursor.execute(_NEXT, {"queue": queue})
        return [InLine(**row) for row in cursor.fetchall()]


def standing(db: Database, job_id: UUID) -> Standing | None:
    """None when there is no such job any more."""
    with db.cursor() as cursor:
        cursor.execute(_PARTS, {"id": job_id})
        row = cursor.fetchone()
    return None if row is None else Standing(**{**row, "state": JobState(row["state"])})


def was_claimed_by(db: Database, job_id: UUID, worker: str) -> bool:
    """Whether an attempt of the job was, or is, this worker's."""
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM job_attempts WHERE job_id = %s AND worker = %s", (job_id, worker)
        )
        return cursor.fetchone() is not None
