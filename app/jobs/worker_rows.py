"""What a worker's parent process does for its children: their leases, and the end of the hung.

The parent is not starved by C code that holds a child's interpreter lock, so the lease of a child
that computes for minutes lives as long as the child itself (design 3.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from app.core.errors import LostWorker, Problem
from app.db.database import Database
from app.jobs.put_back import put_back_chunks, put_back_jobs, put_back_last_steps

#: `code` of the problem of a chunk that was killed because it took too long
HUNG = "hung"
#: a claim of an idle child that is younger than this may belong to a task that begins right now
_IDLE_SECONDS = 10.0

_OVERDUE: LiteralString = """
WITH late AS (
    SELECT id, worker, worker_pid, claim_token FROM jobs
    WHERE state = 'running' AND (
        cancel_requested_at < now() - make_interval(secs => %(grace)s)
        OR deadline_at < now() - make_interval(secs => %(grace)s))
)
SELECT worker_pid, NULL::float AS limit FROM late
WHERE worker = %(worker)s AND claim_token IS NOT NULL
UNION ALL
SELECT c.worker_pid, NULL FROM job_chunks c JOIN late ON late.id = c.job_id
WHERE c.worker = %(worker)s AND c.state = 'running'
UNION ALL
SELECT worker_pid, time_limit_seconds FROM job_chunks
WHERE worker = %(worker)s AND state = 'running'
  AND started_at < now() - make_interval(secs => time_limit_seconds)
"""


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """What one round found."""

    #: claims of children that are gone; their leases were ended, the sweeper takes over
    dead_claims: int
    #: children to be killed, and what to tell of it: they ignore a cancel or a deadline for longer
    #: than the grace (nothing to tell), or their chunk hangs
    overdue: dict[int, Problem | None]


def keep_leases(
    db: Database,
    worker: str,
    alive_pids: Sequence[int],
    *,
    idle_pids: Sequence[int] = (),
    lease_seconds: float,
    grace_seconds: float,
) -> Upkeep:
    """Renew what living children hold, end what dead ones held, name those to be killed.

    `idle_pids`: living children that have had no task for a while. What they still hold, nobody
    works on: a claim whose commit they did not hear of, an end that they could not write.
    """
    values = {
        "worker": worker,
        "alive": list(alive_pids),
        "idle": list(idle_pids),
        "idle_seconds": _IDLE_SECONDS,
        "lease": lease_seconds,
        "grace": grace_seconds,
    }
    dead = 0
    with db.cursor() as cursor:
        for table, last_sign in (("jobs", "heartbeat_at"), ("job_chunks", "started_at")):
            cursor.execute(
                f"UPDATE {table} SET lease_expires_at = CASE WHEN worker_pid = ANY(%(alive)s)"
                f" AND NOT (worker_pid = ANY(%(idle)s) AND {last_sign} < now() -"
                " make_interval(secs => %(idle_seconds)s))"
                " THEN now() + make_interval(secs => %(lease)s) ELSE now() END"
                " WHERE worker = %(worker)s AND state = 'running' AND claim_token IS NOT NULL"
                " RETURNING lease_expires_at <= now() AS ended",
                values,
            )
            dead += sum(row["ended"] for row in cursor.fetchall())
        cursor.execute(_OVERDUE, values)
        overdue = {
            row["worker_pid"]: None if row["limit"] is None else hung(row["limit"])
            for row in cursor.fetchall()
            if row["worker_pid"] in alive_pids
        }
    return Upkeep(dead_claims=dead, overdue=overdue)


def hung(limit: float) -> Problem:
    return LostWorker(
        f"it took longer than the {limit:g} s that its rows may take, and was killed",
        code=HUNG,
        remedy="Look at the structure; leave it out, or raise RETORT_ROW_SECONDS.",
    ).problem()


def too_much_memory(used: int, limit: int) -> Problem:
    """`used`, `limit`: bytes."""
    return LostWorker(
        f"the process held {used / 2**30:.1f} GiB of memory, more than the"
        f" {limit / 2**30:.1f} GiB that it may, and was killed",
        code="out_of_memory",
        remedy="Use fewer rows or features, or raise RETORT_MAX_CHILD_MEMORY_BYTES.",
    ).problem()


def end_claims(db: Database, worker: str, pid: int, problem: Problem | None) -> None:
    """Of a child that its parent has killed: the sweeper takes its work back, and says why."""
    with db.cursor() as cursor:
        for table in ("jobs", "job_chunks"):
            cursor.execute(
                f"UPDATE {table} SET lease_expires_at = now(), error = coalesce(%(error)s, error)"
                " WHERE worker = %(worker)s AND worker_pid = %(pid)s AND state = 'running'"
                " AND claim_token IS NOT NULL",
                {
                    "worker": worker,
                    "pid": pid,
                    "error": None if problem is None else Jsonb(problem),
                },
            )


def put_back_all(db: Database, worker: str) -> int:
    """What the children of this worker held when it was told to end and killed them: back to the
    queues, no attempt and no crash counted; how many there were.
    """
    held: LiteralString = "worker = %(worker)s AND claim_token IS NOT NULL"
    values: dict[str, Any] = {"worker": worker}
    with db.cursor() as cursor:
        jobs = put_back_jobs(cursor, held + " AND fanned_out_at IS NULL", values)
        last_steps = put_back_last_steps(cursor, held, values)
        return len(jobs) + last_steps + put_back_chunks(cursor, held, values)
