"""Owning a job for a while: claim, heartbeat, and the fence that a zombie's write does not pass."""

from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from app.db.database import Database
from app.jobs.model import JOB_COLUMNS, Job
from app.jobs.states import Trigger
from app.jobs.transition import transition


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A worker process: node name with a boot id (`cpu@host#1f3a`), and the child's process id."""

    worker: str
    pid: int


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """What a heartbeat learns."""

    #: the lease still is ours
    owned: bool
    cancel_requested: bool = False
    deadline_passed: bool = False


_OWN: LiteralString = (
    ", claim_token = %(token)s, worker = %(worker)s, worker_pid = %(pid)s, heartbeat_at = now(),"
    " lease_expires_at = now() + make_interval(secs => %(lease)s)"
)


def claim_job(db: Database, job_id: UUID, owner: Owner, *, lease_seconds: float) -> Job | None:
    """Take a queued job; None when it is a duplicate message, cancelled, or past its deadline."""
    values = {
        "id": job_id,
        "token": uuid4(),
        "worker": owner.worker,
        "pid": owner.pid,
        "lease": lease_seconds,
    }
    with db.cursor() as cursor:
        claimed = transition(
            cursor,
            Trigger.CLAIM,
            condition="id = %(id)s AND (deadline_at IS NULL OR deadline_at > now())",
            assign=_OWN
            + ", attempt = attempt + 1, started_at = coalesce(started_at, now()), run_at = NULL,"
            " finished_at = NULL, error = NULL, progress = '{}'::jsonb, warnings = CASE"
            " WHEN attempt = 0 THEN warnings ELSE '[]'::jsonb END",
            values=values,
            event={"worker": owner.worker},
        )
        for job in claimed:
            cursor.execute(
                "INSERT INTO job_attempts (job_id, attempt, worker) VALUES (%s, %s, %s)"
                " ON CONFLICT (job_id, attempt) DO UPDATE SET worker = excluded.worker,"
                " started_at = now(), ended_at = NULL, outcome = NULL, error = NULL",
                (job.id, job.attempt, owner.worker),
            )
        return claimed[0] if claimed else None


def claim_finalize(db: Database, job_id: UUID, owner: Owner, *, lease_seconds: float) -> Job | None:
    """Take a divided job whose chunks have all ended; None when another one has it."""
    query: LiteralString = (
        "UPDATE jobs SET project_id = project_id" + _OWN + " WHERE id = %(id)s"
        " AND state = 'running' AND fanned_out_at IS NOT NULL AND claim_token IS NULL"
        " AND cancel_requested_at IS NULL AND (deadline_at IS NULL OR deadline_at > now())"
        " AND NOT EXISTS (SELECT 1 FROM job_chunks c"
        " WHERE c.job_id = jobs.id AND c.state IN ('queued', 'running',"
        " 'cancelled'))"
        f" RETURNING {JOB_COLUMNS}"
    )
    values = {
        "id": job_id,
        "token": uuid4(),
        "worker": owner.worker,
        "pid": owner.pid,
        "lease": lease_seconds,
    }
    with db.cursor() as cursor:
        cursor.execute(query, values)
        row = cursor.fetchone()
    return None if row is None else Job.from_row(row)


def beat(
    db: Database,
    job_id: UUID,
    claim_token: UUID,
    *,
    lease_seconds: float,
    progress: dict[str, Any] | None = None,
    warnings: list[dict[str, Any]] | None = None,
) -> Pulse:
    """Renew the lease and write progress, if the job still is ours."""
    with db.cursor() as cursor:
        cursor.execute(
            "UPDATE jobs SET heartbeat_at = now(),"
            " lease_expires_at = now() + make_interval(secs => %(lease)s),"
            " progress = coalesce(%(progress)s, progress),"
            " warnings = coalesce(%(warnings)s, warnings)"
            " WHERE id = %(id)s AND claim_token = %(token)s AND state = 'running'"
            " RETURNING cancel_requested_at IS NOT NULL AS cancel,"
            " coalesce(deadline_at < now(), false) AS late",
            {
                "id": job_id,
                "token": claim_token,
                "lease": lease_seconds,
                "progress": None if progress is None else Jsonb(progress),
                "warnings": None if warnings is None else Jsonb(warnings),
            },
        )
        row = cursor.fetchone()
    if row is None:
        return Pulse(owned=False)
    return Pulse(owned=True, cancel_requested=row["cancel"], deadline_passed=row["late"])


def append_event(db: Database, job_id: UUID, type_: str, data: dict[str, Any]) -> None:
    with db.cursor() as cursor:
        cursor.execute(
            "INSERT INTO job_events (job_id, type, data) VALUES (%s, %s, %s)",
            (job_id, type_, Jsonb(data)),
        )
        cursor.execute("SELECT pg_notify('retort_jobs', %s)", (str(job_id),))
