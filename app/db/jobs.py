"""Jobs, their needs, chunks, attempts, events and idempotency keys: the truth of the engine.

Written by app.jobs only, which speaks SQL directly (docs/decisions/0002); these classes declare
the schema, for migrations and for reading.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    PrimaryKeyConstraint,
    desc,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Identified, Json

EMPTY_OBJECT = text("'{}'::jsonb")
EMPTY_LIST = text("'[]'::jsonb")


class JobRow(Identified, Base):
    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(
            "state IN ('waiting', 'queued', 'running', 'retrying',"
            " 'succeeded', 'failed', 'cancelled')",
            name="state",
        ),
        Index("ix_jobs_newest", "project_id", desc("id")),
        Index("ix_jobs_filter", "project_id", "state", "kind", desc("id")),
        Index("ix_jobs_state", "project_id", "state", desc("id")),
        Index("ix_jobs_kind", "project_id", "kind", desc("id")),
        Index("ix_jobs_created_by", "project_id", "created_by", desc("id")),
        Index("ix_jobs_queued", "queue", "created_at", postgresql_where=text("state = 'queued'")),
        Index(
            "ix_jobs_waiting",
            "project_id",
            "created_by",
            postgresql_where=text("state IN ('waiting', 'queued', 'retrying')"),
        ),
        Index("ix_jobs_lease", "lease_expires_at", postgresql_where=text("state = 'running'")),
        Index("ix_jobs_retrying", "run_at", postgresql_where=text("state = 'retrying'")),
        Index(
            "ix_jobs_deadline",
            "deadline_at",
            postgresql_where=text("state IN ('waiting', 'queued', 'running', 'retrying')"),
        ),
        Index("ix_jobs_labels", "labels", postgresql_using="gin"),
        Index(None, "correlation_id"),
    )

    kind: Mapped[str]
    state: Mapped[str]
    queue: Mapped[str]
    priority: Mapped[int] = mapped_column(server_default=text("5"))
    params: Mapped[Json]
    client_ref: Mapped[str | None]
    correlation_id: Mapped[str | None]
    parent_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), index=True
    )
    rerun_of: Mapped[UUID | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="SET NULL"), index=True
    )
    #: raised by one with every change of state
    version: Mapped[int] = mapped_column(server_default=text("1"))

    # ---- trying
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    max_attempts: Mapped[int] = mapped_column(server_default=text("3"))
    crash_count: Mapped[int] = mapped_column(server_default=text("0"))
    run_at: Mapped[datetime | None]
    deadline_at: Mapped[datetime | None]

    # ---- dispatch: the row is the outbox
    dispatched_at: Mapped[datetime | None]
    dispatch_count: Mapped[int] = mapped_column(server_default=text("0"))

    # ---- ownership
    claim_token: Mapped[UUID | None]
    #: node name of the worker, and the process id of its child
    worker: Mapped[str | None]
    worker_pid: Mapped[int | None]
    lease_expires_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    #: set when the work was divided into chunks; nobody owns the job until they are done
    fanned_out_at: Mapped[datetime | None]
    cancel_requested_at: Mapped[datetime | None]

    # ---- told to people
    progress: Mapped[Json] = mapped_column(server_default=EMPTY_OBJECT)
    counts: Mapped[Json] = mapped_column(server_default=EMPTY_OBJECT)
    warnings: Mapped[list[Json]] = mapped_column(server_default=EMPTY_LIST)
    result: Mapped[Json | None]
    error: Mapped[Json | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobNeedRow(Base):
    __tablename__ = "job_needs"
    __table_args__ = (PrimaryKeyConstraint("job_id", "needs_job_id"),)

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    needs_job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), index=True
    )


class JobChunkRow(Base):
    """One part of a divided job: a range of rows, a trial. Claimed and fenced like a job."""

    __tablename__ = "job_chunks"
    __table_args__ = (
        PrimaryKeyConstraint("job_id", "chunk"),
        CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'split')",
            name="state",
        ),
        Index(
            "ix_job_chunks_lease", "lease_expires_at", postgresql_where=text("state = 'running'")
        ),
        Index(
            "ix_job_chunks_open", "job_id", postgresql_where=text("state IN ('queued', 'running')")
        ),
    )

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    chunk: Mapped[int]
    state: Mapped[str] = mapped_column(server_default=text("'queued'"))
    #: the planned chunk that this one is a piece of (itself, unless it was split)
    root: Mapped[int]
    #: what the kind needs to find its part (blob key, trial number)
    source: Mapped[Json]
    #: the job's attempt that made this division, in whose folder the parts lie
    planned_in: Mapped[int | None]
    #: rows [start, stop) of the source; a chunk that crashes twice is halved until one row is left
    start_row: Mapped[int] = mapped_column(server_default=text("0"))
    stop_row: Mapped[int] = mapped_column(server_default=text("1"))
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    crash_count: Mapped[int] = mapped_column(server_default=text("0"))
    #: a process that works on it for longer hangs and is killed; None: no limit (trials)
    time_limit_seconds: Mapped[float | None]
    claim_token: Mapped[UUID | None]
    worker: Mapped[str | None]
    worker_pid: Mapped[int | None]
    lease_expires_at: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]
    dispatch_count: Mapped[int] = mapped_column(server_default=text("1"))
    run_at: Mapped[datetime | None]
    #: small: keys and counts, never rows
    result: Mapped[Json | None]
    error: Mapped[Json | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobAttemptRow(Base):
    __tablename__ = "job_attempts"
    __table_args__ = (PrimaryKeyConstraint("job_id", "attempt"),)

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    worker: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    ended_at: Mapped[datetime | None]
    #: succeeded | failed | retrying | cancelled | lost | drained
    outcome: Mapped[str | None]
    error: Mapped[Json | None]
    #: of the process that ran it, at its largest; what estimates are made from
    peak_memory_bytes: Mapped[int | None]
    cpu_seconds: Mapped[float | None]


class JobEventRow(Base):
    """Append-only: states, messages, metrics. `id` is the SSE event id."""

    __tablename__ = "job_events"
    __table_args__ = (Index(None, "job_id", "id"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    #: state | message | metric | ...
    type: Mapped[str]
    data: Mapped[Json] = mapped_column(server_default=EMPTY_OBJECT)


class JobLogRow(Base):
    """Lines that the code which ran an attempt logged, secrets masked. `id` grows over all jobs."""

    __tablename__ = "job_logs"
    __table_args__ = (Index(None, "job_id", "id"), Index(None, "at"))

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    #: of a divided job: which part; None: the job itself
    chunk: Mapped[int | None]
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    #: DEBUG | INFO | WARNING | ERROR
    level: Mapped[str]
    logger: Mapped[str]
    text: Mapped[str]


class IdempotencyKeyRow(Base):
    __tablename__ = "idempotency_keys"
    __table_args__ = (PrimaryKeyConstraint("scope", "key"), Index(None, "expires_at"))

    #: project, principal and route
    scope: Mapped[str]
    key: Mapped[str]
    body_hash: Mapped[str]
    resource_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime] = mapped_column(server_default=text("now() + interval '7 days'"))


class JobTraceRow(Base):
    """Of jobs that are traced. A table of its own: one more column in `jobs` would end what workers
    of the release before have prepared (`RETURNING *`).
    """

    __tablename__ = "job_traces"

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    #: W3C trace context of the submission
    traceparent: Mapped[str]
