"""Accepting a job: row, first event, idempotency key in one transaction. The row is the outbox."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from app.core.errors import FieldError, IdempotencyInProgress, IdempotencyMismatch, NotFound
from app.core.hashing import content_key
from app.core.ids import new_id
from app.core.origin import Origin, current_origin
from app.db.audit_entries import asked_from
from app.db.database import Cursor, Database, cursor_of
from app.jobs.model import JOB_COLUMNS, Job
from app.jobs.needs import settle_waiting
from app.jobs.store import fetch_job
from app.jobs.waiting_room import WaitingRoom
from app.quotas.checking import check_gpu_hours


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
    traceparent: str | None = None
    parent_id: UUID | None = None
    rerun_of: UUID | None = None
    warnings: Sequence[dict[str, Any]] = ()
    #: the request that asks for it, for the audit log
    origin: Origin | None = field(default_factory=current_origin, compare=False, repr=False)


@dataclass(frozen=True, kw_only=True)
class IdempotencyKey:
    """The client's key, within project, principal and route; the hash is of the canonical body."""

    scope: str
    key: str
    body_hash: str

    @classmethod
    def of(
        cls, project_id: UUID, caller: str, route: str, key: str | None, body: Mapping[str, Any]
    ) -> "IdempotencyKey | None":
        """`body`: JSON; None when the client gave no key."""
        if key is None:
            return None
        return cls(scope=f"{project_id}:{caller}:{route}", key=key, body_hash=content_key(body))


@dataclass(frozen=True, kw_only=True)
class Submitted:
    job: Job
    #: the key was used before with the same body: this is the first answer's job
    replayed: bool


# all rows in one parameter, so that the statement is the same, and prepared, for any number of jobs
_INSERT: LiteralString = f"""
WITH new AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(%s) AS given (
        id uuid, project_id uuid, kind text, state text, queue text, priority bigint,
        params jsonb, labels jsonb, created_by text, max_attempts bigint,
        deadline_seconds double precision, client_ref text, correlation_id text,
        traceparent text, parent_id uuid, rerun_of uuid, warnings jsonb,
        audit_id uuid, audit_details jsonb, request_id text, ip text, user_agent text)
), accepted AS (
    INSERT INTO jobs (
        id, project_id, kind, state, queue, priority, params, labels, created_by, max_attempts,
        deadline_at, client_ref, correlation_id, parent_id, rerun_of, warnings,
        dispatched_at, dispatch_count
    )
    SELECT id, project_id, kind, state, queue, priority, params, labels, created_by, max_attempts,
        now() + make_interval(secs => deadline_seconds), client_ref, correlation_id,
        parent_id, rerun_of, warnings,
        CASE WHEN state = 'queued' THEN now() END, (state = 'queued')::int
    FROM new
    RETURNING {JOB_COLUMNS}
), told AS (
    INSERT INTO job_events (job_id, type, data)
    SELECT id, 'state', jsonb_build_object(
        'state', state, 'attempt', 0, 'trigger', 'submit', 'version', version) FROM accepted
), traced AS (
    INSERT INTO job_traces (job_id, traceparent)
    SELECT id, traceparent FROM new WHERE traceparent IS NOT NULL
), audited AS (
    INSERT INTO audit_log (id, project_id, principal, action, resource, details,
        request_id, ip, user_agent)
    SELECT audit_id, project_id, created_by, 'jobs.submit', 'jobs/' || id, audit_details,
        request_id, ip, user_agent FROM new
)
SELECT * FROM accepted
"""

Attach = Callable[[Session, Job], None]
_STORED = tuple(f.name for f in fields(NewJob) if f.name not in ("needs", "origin"))
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
    Raises IdempotencyMismatch, IdempotencyInProgress, NotFound (a needed job), TooManyJobs,
    QuotaExceeded.
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
    if room is not None:
        check_hours(cursor_of(session), prepared)
    job = _insert(cursor_of(session), prepared)
    if attach is not None:
        attach(session, job)
    return job


def check_hours(cursor: Cursor, new: NewJob) -> None:
    """Raises QuotaExceeded for a GPU job when the hours of this month are used up."""
    if new.queue.startswith("gpu"):
        check_gpu_hours(cursor, new.project_id, new.created_by)


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
        raise in_progress()
    cursor.execute(
        "SELECT body_hash, resource_id FROM idempotency_keys WHERE scope = %s AND key = %s",
        (idem.scope, idem.key),
    )
    known = cursor.fetchone()
    if known is None:
        return None
    if known["body_hash"] != idem.body_hash:
        raise mismatch()
    made: UUID = known["resource_id"]
    return made


def in_progress() -> IdempotencyInProgress:
    return IdempotencyInProgress(
        "another request with this Idempotency-Key is being stored right now",
        headers={"Retry-After": "1"},
    )


def mismatch() -> IdempotencyMismatch:
    return IdempotencyMismatch("the body differs from the first request with this key")


def remember_answer(cursor: Cursor, idem: IdempotencyKey, made: UUID) -> None:
    """Within the transaction that made it."""
    cursor.execute(
        "INSERT INTO idempotency_keys (scope, key, body_hash, resource_id) VALUES (%s, %s, %s, %s)",
        (idem.scope, idem.key, idem.body_hash, made),
    )


def _insert(cursor: Cursor, new: NewJob) -> Job:
    (job,) = insert_jobs(cursor, [new])
    if not new.needs:
        return job
    insert_needs(cursor, new)
    settle_waiting(cursor, only=job.id)
    return fetch_job(cursor, new.project_id, job.id)


def insert_jobs(cursor: Cursor, new: Sequence[NewJob]) -> list[Job]:
    """Rows and first events, in the order of `new`; what they need is for the caller to store."""
    cursor.execute(_INSERT, (Jsonb([_values(one) for one in new], dumps=_dumps),))
    stored = {row["id"]: Job.from_row(row) for row in cursor.fetchall()}
    for one in new:
        if one.origin is not None:
            one.origin.recorded += 1
    return [stored[one.id] for one in new]


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


def _values(new: NewJob) -> dict[str, Any]:
    values = {name: getattr(new, name) for name in _STORED}
    return {
        **values,
        "state": "waiting" if new.needs else "queued",
        "audit_id": new_id(),
        "audit_details": _told_of(new),
        **asked_from(new.origin),
    }


def _told_of(new: NewJob) -> dict[str, Any]:
    """The row holds its parameters; the entry says what it was, and through which door it came."""
    told: dict[str, Any] = {"kind": new.kind}
    if new.origin is not None:
        told["through"] = new.origin.read_route()[0]
    return told


#: UUIDs as text; numbers of any size, unlike orjson
_dumps = partial(json.dumps, default=str)


def with_params(new: NewJob, **changes: Any) -> NewJob:
    """`new` with resolved references added to its params."""
    return replace(new, params={**new.params, **changes})
