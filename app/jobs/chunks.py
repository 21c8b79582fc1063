"""Divided jobs: chunks are claimed, fenced and retried like jobs, and never travel as results."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, Self
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from app.core.errors import LeaseLost, Problem
from app.core.settings import Settings
from app.core.work import ChunkResult, ChunkSpec, FanOut
from app.db.database import Cursor, Database
from app.jobs.claim import Owner, Pulse
from app.jobs.model import Chunk, Job, chunk_result
from app.jobs.put_back import put_back_chunks

#: the first chunks of a divided job stand in line with small jobs, the rest in a line of its own
FIRST_CHUNKS = 8
#: SQL for `queue_of(queue, chunk)`
QUEUE_OF: LiteralString = (
    f"CASE WHEN {{chunk}} < {FIRST_CHUNKS} THEN queue ELSE queue || '_bulk' END"
)

_INSERT: LiteralString = (
    "INSERT INTO job_chunks"
    " (job_id, chunk, root, source, start_row, stop_row, time_limit_seconds, planned_in,"
    " dispatched_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, now())"
)

#: SQL for a chunk `c` that may begin
READY: LiteralString = "c.state = 'queued' AND (c.run_at IS NULL OR c.run_at <= now())"
# trials may need those before them, so a message for one means: the first that nobody has begun
_CLAIM: LiteralString = f"""
UPDATE job_chunks c
SET state = 'running', attempt = c.attempt + 1, claim_token = %(token)s, worker = %(worker)s,
    worker_pid = %(pid)s, lease_expires_at = now() + make_interval(secs => %(lease)s),
    started_at = now(), error = NULL
FROM jobs j
WHERE c.job_id = %(job_id)s AND {READY}
  AND c.chunk = CASE WHEN EXISTS (
      SELECT 1 FROM job_chunks t WHERE t.job_id = %(job_id)s AND t.chunk = %(chunk)s
        AND t.time_limit_seconds IS NULL
  ) THEN (
      SELECT c.chunk FROM job_chunks c WHERE c.job_id = %(job_id)s AND {READY}
      ORDER BY c.start_row, c.chunk LIMIT 1 FOR UPDATE SKIP LOCKED
  ) ELSE %(chunk)s END
  AND j.id = c.job_id AND j.state = 'running' AND j.fanned_out_at IS NOT NULL
  AND j.cancel_requested_at IS NULL AND (j.deadline_at IS NULL OR j.deadline_at > now())
RETURNING c.job_id, c.chunk, c.source, c.start_row, c.stop_row, c.attempt, c.claim_token,
          c.time_limit_seconds IS NULL AS is_trial,
          j.project_id, j.kind, j.params, j.correlation_id,
          j.attempt AS job_attempt, coalesce((
              SELECT max(p.planned_in) FROM job_chunks p WHERE p.job_id = c.job_id
          ), j.attempt) AS planned_in
"""

# of a job that a person retried, what was done before does not count as its speed
_PROGRESS: LiteralString = """
UPDATE jobs SET progress = progress || (
    SELECT jsonb_build_object(
        'done', done, 'total', total, 'percent', round(100.0 * done / greatest(total, 1), 1),
        'per_second', round(rate::numeric, 2),
        'remaining_seconds', CASE WHEN rate > 0 THEN round(((total - done) / rate)::numeric, 1) END)
    FROM (SELECT done, total, newly / greatest(
              extract(epoch FROM clock_timestamp() - jobs.fanned_out_at), 0.001) AS rate
          FROM (SELECT coalesce(sum(stop_row - start_row) FILTER (
                    WHERE state IN ('succeeded', 'failed')), 0) AS done,
                coalesce(sum(stop_row - start_row) FILTER (
                    WHERE state IN ('succeeded', 'failed')
                    AND finished_at >= jobs.fanned_out_at), 0) AS newly,
                coalesce(sum(stop_row - start_row) FILTER (WHERE state <> 'split'), 0) AS total
                FROM job_chunks WHERE job_id = %(job_id)s) AS sums) AS figures)
WHERE id = %(job_id)s AND state = 'running'
"""

_OURS: LiteralString = "job_id = %(job_id)s AND chunk = %(chunk)s AND claim_token = %(token)s"
_FENCE: LiteralString = f" WHERE {_OURS} AND state = 'running'"


def bulk_of(queue: str) -> str:
    """The queue for the later chunks of the divided jobs of `queue`."""
    return f"{queue}_bulk"


def queue_of(queue: str, chunk: int) -> str:
    """Where chunk number `chunk` of a job of `queue` waits."""
    return queue if chunk < FIRST_CHUNKS else bulk_of(queue)


@dataclass(frozen=True, kw_only=True)
class TimeLimit:
    """How long a process may work on a chunk of rows before it counts as hung (seconds)."""

    base: float
    per_row: float

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(base=settings.chunk_seconds, per_row=settings.row_seconds)

    def of(self, rows: int) -> float:
        return self.base + self.per_row * rows


def fan_out(db: Database, job: Job, plan: FanOut, limit: TimeLimit) -> list[int]:
    """Replace our claim by chunks: from now on nobody owns the job until all of them have ended.
    `limit` holds for rows; a trial may take as long as it takes.

    Raises LeaseLost when the job is not ours any more.
    """
    with db.cursor() as cursor:
        _leave_to_chunks(cursor, job, {"unit": plan.unit, "stage": "chunks", "message": ""})
        cursor.execute("DELETE FROM job_chunks WHERE job_id = %s", (job.id,))
        cursor.executemany(
            _INSERT,
            [
                (
                    *(job.id, number, number, Jsonb(spec.source), spec.start_row, spec.stop_row),
                    limit.of(spec.stop_row - spec.start_row) if plan.unit == "row" else None,
                    job.attempt,
                )
                for number, spec in enumerate(plan.chunks)
            ],
        )
        _tell_progress(cursor, job.id)
    return list(range(len(plan.chunks)))


def resume(db: Database, job: Job) -> list[int]:
    """Instead of a new division: keep the one of an earlier attempt, with the chunks that have
    succeeded, and queue the others again; their numbers. None is left when only the last step
    had failed.

    Raises LeaseLost when the job is not ours any more.
    """
    with db.cursor() as cursor:
        _leave_to_chunks(cursor, job, {"stage": "chunks", "message": ""})
        cursor.execute(
            "UPDATE job_chunks SET state = 'queued', attempt = 0, crash_count = 0, error = NULL,"
            " result = NULL, claim_token = NULL, lease_expires_at = NULL, run_at = NULL,"
            " started_at = NULL, finished_at = NULL, dispatched_at = now(), dispatch_count = 1"
            " WHERE job_id = %s AND state NOT IN ('succeeded', 'split') RETURNING chunk",
            (job.id,),
        )
        numbers = sorted(row["chunk"] for row in cursor.fetchall())
        cursor.execute(
            "UPDATE jobs SET progress = progress || jsonb_build_object('unit', CASE WHEN EXISTS ("
            "SELECT 1 FROM job_chunks c WHERE c.job_id = jobs.id AND time_limit_seconds IS NOT NULL"
            ") THEN 'row' ELSE 'trial' END) WHERE id = %s",
            (job.id,),
        )
        _tell_progress(cursor, job.id)
    return numbers


def planned_in(db: Database, job: Job) -> int | None:
    """The attempt that divided the job; None when none did (or the engine of a release that did
    not write it down).
    """
    with db.cursor() as cursor:
        cursor.execute("SELECT max(planned_in) AS n FROM job_chunks WHERE job_id = %s", (job.id,))
        row = cursor.fetchone()
    return row["n"] if row else None


def _leave_to_chunks(cursor: Cursor, job: Job, progress: dict[str, Any]) -> None:
    cursor.execute(
        "UPDATE jobs SET fanned_out_at = now(), claim_token = NULL, lease_expires_at = NULL,"
        " progress = %(progress)s, dispatched_at = now()"
        " WHERE id = %(id)s AND claim_token = %(token)s AND state = 'running' RETURNING id",
        {"id": job.id, "token": job.claim_token, "progress": Jsonb(progress)},
    )
    if cursor.fetchone() is None:
        raise LeaseLost(f"job {job.id} is not ours any more")


def claim_chunk(
    db: Database, job_id: UUID, chunk: int, owner: Owner, *, lease_seconds: float
) -> Chunk | None:
    """That chunk; of trials the first that waits, whichever is asked for. None for a duplicate
    message, or when the job has ended or should stop.
    """
    values = {
        "job_id": job_id,
        "chunk": chunk,
        "token": uuid4(),
        "worker": owner.worker,
        "pid": owner.pid,
        "lease": lease_seconds,
    }
    with db.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        row = cursor.fetchone()
    if row is None:
        return None
    spec = ChunkSpec(
        source=row.pop("source"), start_row=row.pop("start_row"), stop_row=row.pop("stop_row")
    )
    return Chunk(spec=spec, **row)


def beat_chunk(db: Database, chunk: Chunk, *, lease_seconds: float) -> Pulse:
    """Renew the chunk's lease; learn whether its job was cancelled, ended, or is late."""
    with db.cursor() as cursor:
        cursor.execute(
            "UPDATE job_chunks SET lease_expires_at = now() + make_interval(secs => %(lease)s)"
            + _FENCE
            + " RETURNING (SELECT jsonb_build_object('running', j.state = 'running',"
            " 'cancel', j.cancel_requested_at IS NOT NULL,"
            " 'late', coalesce(j.deadline_at < now(), false))"
            " FROM jobs j WHERE j.id = job_chunks.job_id) AS job",
            {**_fence(chunk), "lease": lease_seconds},
        )
        row = cursor.fetchone()
    if row is None or not row["job"]["running"]:
        return Pulse(owned=False)
    return Pulse(
        owned=True, cancel_requested=row["job"]["cancel"], deadline_passed=row["job"]["late"]
    )


def first_put_back(db: Database, job_id: UUID) -> int | None:
    """The first trial that has gone back to its queue and has no message there."""
    with db.cursor() as cursor:
        cursor.execute(
            f"SELECT chunk FROM job_chunks c WHERE job_id = %s AND {READY}"
            " AND dispatched_at IS NULL AND time_limit_seconds IS NULL"
            " ORDER BY start_row, chunk LIMIT 1",
            (job_id,),
        )
        row = cursor.fetchone()
    return row["chunk"] if row else None


def any_open_before(db: Database, job_id: UUID, row: int) -> bool:
    """Whether chunks of the job with rows before that one wait or run."""
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM job_chunks WHERE job_id = %s AND start_row < %s"
            " AND state IN ('queued', 'running') LIMIT 1",
            (job_id, row),
        )
        return cursor.fetchone() is not None


def finish_chunk(db: Database, chunk: Chunk, result: dict[str, Any]) -> None:
    """Record a chunk's end and the job's progress. Raises LeaseLost for a zombie."""
    _end(db, chunk, "succeeded", {"result": Jsonb(result), "error": None})


def fail_chunk(db: Database, chunk: Chunk, problem: Problem) -> None:
    """The chunk has no answer; its job goes on and says so for each of its rows."""
    _end(db, chunk, "failed", {"result": None, "error": Jsonb(problem)})


def cancel_chunk(db: Database, chunk: Chunk, problem: Problem) -> None:
    _end(db, chunk, "cancelled", {"result": None, "error": Jsonb(problem)})


def retry_chunk(db: Database, chunk: Chunk, *, after_seconds: float, problem: Problem) -> None:
    """Back to the queue after an outage."""
    with db.cursor() as cursor:
        cursor.execute(
            "UPDATE job_chunks SET state = 'queued', claim_token = NULL, lease_expires_at = NULL,"
            " error = %(error)s, dispatched_at = NULL,"
            " run_at = now() + make_interval(secs => %(after)s)" + _FENCE,
            {**_fence(chunk), "error": Jsonb(problem), "after": after_seconds},
        )


def put_back_chunk(db: Database, chunk: Chunk) -> None:
    """Back to the queue without spending an attempt (the worker is shutting down)."""
    with db.cursor() as cursor:
        put_back_chunks(cursor, _OURS, _fence(chunk))


def chunk_results(db: Database, job_id: UUID) -> Sequence[ChunkResult]:
    """Every ended chunk in the order of the plan; pieces of a split chunk stand in its place."""
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT chunk, state, source, start_row, stop_row, result, error FROM job_chunks"
            " WHERE job_id = %s AND state IN ('succeeded', 'failed') ORDER BY root, start_row",
            (job_id,),
        )
        return [chunk_result(row) for row in cursor.fetchall()]


def _end(db: Database, chunk: Chunk, state: str, values: dict[str, Any]) -> None:
    with db.cursor() as cursor:
        cursor.execute(
            "UPDATE job_chunks SET state = %(state)s, result = %(result)s, error = %(error)s,"
            " claim_token = NULL, lease_expires_at = NULL, finished_at = now()"
            + _FENCE
            + " RETURNING chunk",
            {**_fence(chunk), "state": state, **values},
        )
        if cursor.fetchone() is None:
            raise LeaseLost(f"chunk {chunk.chunk} of job {chunk.job_id} is not ours any more")
        _tell_progress(cursor, chunk.job_id)


def _tell_progress(cursor: Cursor, job_id: UUID) -> None:
    # locked first, so that the sum is taken after every chunk that ended before us has committed
    cursor.execute("SELECT 1 FROM jobs WHERE id = %s FOR NO KEY UPDATE", (job_id,))
    cursor.execute(_PROGRESS, {"job_id": job_id})


def _fence(chunk: Chunk) -> dict[str, Any]:
    return {"job_id": chunk.job_id, "chunk": chunk.chunk, "token": chunk.claim_token}
