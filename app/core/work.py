"""What running work may ask of whoever runs it: the port between a job's logic and the engine.

The engine's `JobContext` (app.jobs) implements it on Postgres; `SilentContext` is its in-memory
twin for tests, notebooks and the exported bundle.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.ids import new_id


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended well. Nothing is visible to anyone before the engine has committed it."""

    #: the job's `result`, small JSON: ids, figures, blob keys
    result: dict[str, Any]
    #: rows_total, rows_ok, rows_failed, ...
    counts: dict[str, int] = field(default_factory=dict)
    #: inserts and updates that make the result visible; runs in the transaction that finishes the
    #: job, after its fence held, so it happens once or not at all. What it gives (a version number
    #: that is known only then) is added to `result`
    commit: Callable[[Session], dict[str, Any] | None] | None = None


@dataclass(frozen=True, kw_only=True)
class ChunkSpec:
    """One part of a divided job: rows [start_row, stop_row) of what `source` names."""

    #: small JSON: a blob key, a trial number
    source: dict[str, Any]
    start_row: int = 0
    stop_row: int = 1


@dataclass(frozen=True, kw_only=True)
class FanOut:
    """What a plan gives: at most 200 chunks, run in parallel, then finalized."""

    chunks: Sequence[ChunkSpec]
    #: unit of the progress: row (by chunk ranges) or trial
    unit: str = "row"


@dataclass(frozen=True, kw_only=True)
class ChunkResult:
    """How a chunk ended; a failed one still names the rows that have no answer."""

    chunk: int
    spec: ChunkSpec
    #: succeeded | failed
    state: str
    #: what run_chunk returned (succeeded)
    result: dict[str, Any]
    #: the problem's detail (failed), e.g. a molecule that crashed the process
    reason: str = ""


class WorkContext(Protocol):
    """`attempt` is the job's, for chunks too. What a plan leaves for chunks and finalize lies in
    the folder of `plan_attempt`: the same, unless a person retried what had failed of a division.

    Guarantees: `progress`, `warn` and `event` never raise for an outage; progress is throttled,
    so calling it for every row is cheap. `raise_if_cancelled` is cheap too (no I/O).
    """

    @property
    def job_id(self) -> UUID: ...
    @property
    def project_id(self) -> UUID: ...
    @property
    def attempt(self) -> int: ...
    @property
    def plan_attempt(self) -> int: ...

    def progress(
        self,
        done: float,
        total: float,
        *,
        unit: str = "row",
        stage: str = "",
        message: str = "",
        **extra: Any,
    ) -> None:
        """Tell how far the work is; `extra` may hold figures such as `rows_per_second`."""

    def warn(self, code: str, detail: str) -> None:
        """Attach a warning to the job (shown beside its result)."""

    def event(self, type_: str, data: dict[str, Any]) -> None:
        """Append to the job's event log (a metric, a message; not a state change)."""

    def raise_if_cancelled(self) -> None:
        """Raise JobCancelled, DeadlineExceeded or LeaseLost when this work should stop."""


class ChunkWorkContext(WorkContext, Protocol):
    """What a chunk may ask besides."""

    def wait_until_ended(self, before: int) -> None:
        """Returns once no chunk of rows before row `before` is left to do, however it ended; the
        caller is none of them. Who would wait for long goes back to the queue instead, and begins
        again: raises what says so, or what `raise_if_cancelled` raises.
        """


class SilentContext:
    """Remembers what was told, for assertions; never cancels unless `cancel` is set. Chunks are
    run one after another.
    """

    def __init__(self, *, project_id: UUID | None = None, attempt: int = 1) -> None:
        self.job_id = new_id()
        self.project_id = project_id or new_id()
        self.attempt = attempt
        self.plan_attempt = attempt
        self.told: list[dict[str, Any]] = []
        self.warnings: list[tuple[str, str]] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.cancel: Exception | None = None

    def progress(
        self,
        done: float,
        total: float,
        *,
        unit: str = "row",
        stage: str = "",
        message: str = "",
        **extra: Any,
    ) -> None:
        self.told.append(
            {
                "done": done,
                "total": total,
                "unit": unit,
                "stage": stage,
                "message": message,
                **extra,
            }
        )

    def warn(self, code: str, detail: str) -> None:
        self.warnings.append((code, detail))

    def event(self, type_: str, data: dict[str, Any]) -> None:
        self.events.append((type_, data))

    def raise_if_cancelled(self) -> None:
        if self.cancel is not None:
            raise self.cancel

    def wait_until_ended(self, before: int) -> None:
        """They have been."""
