"""Jobs, chunks and events as values (rows of Postgres, read-only)."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, LiteralString, Self
from uuid import UUID

from app.core.work import ChunkResult, ChunkSpec
from app.jobs.states import TERMINAL, JobState

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One row of `jobs`, as it was when it was read."""

    id: UUID
    project_id: UUID
    kind: str
    state: JobState
    queue: str
    priority: int
    params: Json
    labels: Json
    created_by: str
    created_at: datetime
    client_ref: str | None
    correlation_id: str | None
    parent_id: UUID | None
    rerun_of: UUID | None
    version: int
    attempt: int
    max_attempts: int
    crash_count: int
    run_at: datetime | None
    deadline_at: datetime | None
    dispatched_at: datetime | None
    dispatch_count: int
    claim_token: UUID | None
    worker: str | None
    worker_pid: int | None
    lease_expires_at: datetime | None
    heartbeat_at: datetime | None
    fanned_out_at: datetime | None
    cancel_requested_at: datetime | None
    progress: Json
    counts: Json
    warnings: list[Json]
    result: Json | None
    error: Json | None
    started_at: datetime | None
    finished_at: datetime | None
    #: jobs that must succeed before this one starts
    needs: tuple[UUID, ...] = field(default=())

    @property
    def is_terminal(self) -> bool:
        return self.state in TERMINAL

    @classmethod
    def from_row(cls, row: Json) -> Self:
        """Columns that this code does not know (a newer migration) are left out."""
        values = {name: row[name] for name in _JOB_COLUMNS if name in row}
        values["state"] = JobState(row["state"])
        values["needs"] = tuple(row.get("needs") or ())
        return cls(**values)


_JOB_COLUMNS = tuple(f.name for f in fields(Job))
#: for SELECT and RETURNING. Named, not `*`: a statement that was prepared before a migration added
#: a column would be refused by Postgres after it
JOB_COLUMNS: LiteralString = ", ".join(f"jobs.{name}" for name in _JOB_COLUMNS if name != "needs")


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """One claimed row of `job_chunks`, with what it needs of its job."""

    job_id: UUID
    chunk: int
    project_id: UUID
    kind: str
    spec: ChunkSpec
    params: Json
    #: the job's attempt
    job_attempt: int
    #: the job's attempt that divided it
    planned_in: int
    attempt: int
    claim_token: UUID
    #: of a search or a comparison: it takes as long as it takes, and may need those before it
    is_trial: bool
    correlation_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JobEvent:
    """One entry of the append-only log; `id` grows over all jobs."""

    id: int
    job_id: UUID
    at: datetime
    type: str
    data: Json


def chunk_result(row: Json) -> ChunkResult:
    error = row["error"] or {}
    return ChunkResult(
        chunk=row["chunk"],
        spec=ChunkSpec(source=row["source"], start_row=row["start_row"], stop_row=row["stop_row"]),
        state=row["state"],
        result=row["result"] or {},
        reason=error.get("detail", ""),
    )
