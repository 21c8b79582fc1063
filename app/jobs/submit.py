"""Accepting a job: row, first event, idempotency key in one transaction. The row is the outbox."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from app.core.errors import FieldError, IdempotencyInProgress, IdempotencyMismatch, NotFound
from app.core.ids import new_id
from app.db.database import Cursor, Database, cursor_of
from app.jobs.model import JOB_COLUMNS, Job
from app.jobs.needs import settle_waiting
from app.jobs.store import fetch_job
from app.jobs.waiting_room import WaitingRoom


@dataclass(frozen=True, kw_only=True)
class NewJob:
    """A job as it is accepted."""

    project_id: UUID
    kind: str
    queue: str
    params: dict[str, Any]
    created_by: str
    id: UUID = field(default_factory=new_id)
    labels: dict[str, str] = field(default_factory=dict)
    needs: Sequence[UUID] = ()
    priority: int = 5
    max_attempts: int = 3
    deadline_seconds: float | None = None
    client_ref: str | None = None
    correlation_id: str | None = None
    parent_id: UUID | None = None
    rerun_of: UUID | None = None
    warnings: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True, kw_only=True)
class IdempotencyKey:
    """The client's key, within project, principal and route; the hash is of the canonical body."""

    scope: str
    key: str
    body_hash: str


@dataclass(frozen=True, kw_only=True)
class Submitted:
    job: Job
    #: the key was used before with the same body: this is the first answer's job
    replayed: bool


_INSERT: LiteralString = f"""
WITH accepted AS (
    INSERT INTO jobs (
        id, project_id, kind, state, queue, priority, params, labels, created_by, max_attempts,
        deadline_at, client_ref, correlation_id, parent_id, rerun_of, warnings,
        dispatched_at, dispatch_count
    ) VALUES (
        %(id)s, %(project_id)s, %(kind)s, %(state)s, %(queue)s, %(priority)s, %(params)s,
        %(labels)s, %(created_by)s, %(max_attempts)s,
        now() + make_interval(secs => %(deadline_seconds)s), %(client_ref)s, %(correlation_id)s,
        %(parent_id)s, %(rerun_of)s, %(warnings)s,
        CASE WHEN %(state)s = 'queued' THEN now() END, (%(state)s = 'queued')::int
    ) RETURNING {JOB_COLUMNS}
), told AS (
    INSERT INTO job_events (job_id, type, data)
    SELECT id, 'state', jsonb_build_object(
        'state', state, 'attempt', 0, 'trigger', 'submit', 'version', version) FROM accepted
)
SELECT * FROM accepted
"""

Attach = Callable[[Session, Job], None]
#: resolves references in the job's own transaction: the job to insert, and what to do after that
Prepare = Callable[[Session, NewJob], tuple[NewJob, Attach | None]]


def submit_job(
    db: Database,
    new: NewJob,
    *,
    prepare: Prepare | None = None,
    idempotency: IdempotencyKey | None = None,
    room: WaitingRoom | None = None,
) -> Submitted:
    """Store a job; the caller publishes it after this returns (`dispatched_at` says it will be;
    the sweeper publishes again what never arrived).

    `prepare` may change `params`, `queue` and `needs`, and insert rows that belong to the job.
    Raises IdempotencyMismatch, IdempotencyInProgress, NotFound (a needed job), TooManyJobs.
    """
    with db.session() as session:
        if idempotency is not None:
            cursor = cursor_of(session)
            first = first_answer(cursor, idempotency)
            if first is not None:
                return Submitted(job=fetch_job(cursor, new.project_id, first), replayed=True)
        job = store_job(session, new, prepare=prepare, room=room)
        if idempotency is not None:
            remember_answer(cursor_of(session), idempotency, job.id)
        return Submitted(job=job, replayed=False)


def store_job(
    session: Session,
    new: NewJob,
    *,
    prepare: Prepare | None = None,
    room: WaitingRoom | None = None,
) -> Job:
    """The job as a part of the session's transaction."""
    if room is not None:
        room.enter(cursor_of(session), new.project_id, new.created_by)
    prepared, attach = (new, None) if prepare is None else prepare(session, new)
    job = _insert(cursor_of(session), prepared)
    if attach is not None:
        attach(session, job)
    return job


def first_answer(cursor: Cursor, idem: IdempotencyKey) -> UUID | None:
    """What this key made; None when the key is new (and now locked for us).

    Raises IdempotencyMismatch, IdempotencyInProgress.
    """
    cursor.execute(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0)) AS mine",
        (f"{idem.scope}\n{idem.key}",),
    )
    lock = cursor.fetchone()
    if lock is None or not lock["mine"]:
        raise IdempotencyInProgress(
            "another request with this Idempotency-Key is being stored right now",
            headers={"Retry-After": "1"},
        )
    cursor.execute(
        "SELECT body_hash, resource_id FROM idempotency_keys WHERE scope = %s AND key = %s",
        (idem.scope, idem.key),
    )
    known = cursor.fetchone()
    if known is None:
        return None
    if known["body_hash"] != idem.body_hash:
        raise IdempotencyMismatch("the body differs from the first request with this key")
    made: UUID = known["resource_id"]
    return made


def remember_answer(cursor: Cursor, idem: IdempotencyKey, made: UUID) -> None:
    """Within the transaction that made it."""
    cursor.execute(
        "INSERT INTO idempotency_keys (scope, key, body_hash, resource_id) VALUES (%s, %s, %s, %s)",
        (idem.scope, idem.key, idem.body_hash, made),
    )


def _insert(cursor: Cursor, new: NewJob) -> Job:
    state = "waiting" if new.needs else "queued"
    cursor.execute(_INSERT, _values(new, state))
    row = cursor.fetchone()
    if row is None:
        raise RuntimeError("INSERT ... RETURNING gave no row")
    job = Job.from_row(row)
    if not new.needs:
        return job
    insert_needs(cursor, new)
    settle_waiting(cursor, only=job.id)
    return fetch_job(cursor, new.project_id, job.id)


def insert_needs(cursor: Cursor, new: NewJob) -> None:
    """Raises NotFound for a job that does not exist in the project."""
    # locked until we commit: a need that finishes meanwhile waits, then sees this job waiting
    cursor.execute(
        "SELECT id FROM jobs WHERE id = ANY(%s) AND project_id = %s ORDER BY id FOR SHARE",
        (list(new.needs), new.project_id),
    )
    known = {row["id"] for row in cursor.fetchall()}
    missing = [need for need in new.needs if need not in known]
    if missing:
        raise NotFound(
            f"there is no job {missing[0]} that this one could need",
            remedy="Name jobs that exist: GET /api/v1/jobs lists them.",
            errors=[
                FieldError(
                    pointer=f"/needs/{new.needs.index(need)}",
                    code="not_found",
                    detail=f"there is no job {need}",
                )
                for need in missing
            ],
        )
    cursor.executemany(
        "INSERT INTO job_needs (job_id, needs_job_id) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        [(new.id, need) for need in new.needs],
    )


def _values(new: NewJob, state: str) -> dict[str, Any]:
    return {
        **new.__dict__,
        "state": state,
        "params": Jsonb(new.params),
        "labels": Jsonb(new.labels),
        "warnings": Jsonb(list(new.warnings)),
    }


def with_params(new: NewJob, **changes: Any) -> NewJob:
    """`new` with resolved references added to its params."""
    return replace(new, params={**new.params, **changes})
