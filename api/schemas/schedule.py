"""Schedules over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, field_validator

from app.core.requests import Instant, RequestModel
from app.db.schedules import ScheduleRow, ScheduleRunRow
from app.schedules.records import spec_of
from app.schedules.spec import (
    CronText,
    JobTemplate,
    Labels,
    RetrainSpec,
    ScheduleFields,
    ScheduleSpec,
    ZoneText,
)
from app.schedules.upcoming import upcoming

_Note = Annotated[str, Field(max_length=1_000)]
#: next runs that are shown of a schedule
_SHOWN = 3


class ScheduleCreate(ScheduleSpec):
    """One of `job` and `retrain`, and when."""

    @field_validator("name")
    @classmethod
    def _no_route(cls, name: str) -> str:
        """What stands beside /schedules/{name} would hide it."""
        if name == "preview":
            raise ValueError("/schedules/preview is a route of its own; choose another name")
        return name


class SchedulePatch(RequestModel):
    """Each field that is named is replaced as a whole; null takes `start_at` or `end_at` away.
    `job` takes the place of `retrain`, and the reverse.
    """

    cron: CronText = "0 0 * * *"
    timezone: ZoneText = "UTC"
    description: Annotated[str, Field(max_length=2_000)] = ""
    labels: Labels = Field(default_factory=dict)
    missed: Literal["skip", "last", "all"] = "last"
    max_missed: Annotated[int, Field(ge=1, le=100)] = 10
    overlap: Literal["skip", "queue", "allow"] = "skip"
    start_at: Instant | None = None
    end_at: Instant | None = None
    job: JobTemplate | None = None
    retrain: RetrainSpec | None = None

    def applied_to(self, row: ScheduleRow) -> ScheduleFields:
        """The whole that the schedule is to be."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        before = spec_of(row)
        kept = {name: getattr(before, name) for name in ScheduleFields.model_fields}
        if said.keys() & {"job", "retrain"}:
            kept |= {"job": None, "retrain": None}
        return ScheduleFields.model_validate(kept | said)


class SchedulePreview(RequestModel):
    cron: CronText
    timezone: ZoneText = "UTC"
    #: how many
    count: Annotated[int, Field(ge=1, le=50)] = 3
    #: left out: now
    after: Instant | None = None


class DecisionRequest(RequestModel):
    note: _Note = ""


class UpcomingRun(BaseModel):
    """`at` in UTC, `local` as the zone's clocks show it."""

    at: datetime
    local: str


class PreviewAnswer(BaseModel):
    cron: str
    timezone: str
    #: in English
    explanation: str
    items: list[UpcomingRun]


class RunAnswer(BaseModel):
    """`trigger`: cron, missed (made up for), manual; `outcome`: of a retraining, promoted, kept or
    rejected; `details`: of one, its jobs, data sets, candidate, champion and gate.
    """

    id: UUID
    run_at: datetime
    local: str
    trigger: Literal["cron", "missed", "manual"]
    state: Literal["waiting", "running", "held", "succeeded", "failed", "skipped"]
    outcome: str | None
    reason: str
    error: dict[str, Any] | None
    job_ids: list[UUID]
    details: dict[str, Any]
    created_at: datetime
    finished_at: datetime | None
    decided_by: str | None


class RunPage(BaseModel):
    items: list[RunAnswer]
    next_cursor: str | None


class ScheduleAnswer(BaseModel):
    """`next_runs`: none while it is paused; `last_run`: the newest of its history."""

    id: UUID
    name: str
    description: str
    labels: dict[str, str]
    cron: str
    timezone: str
    kind: str
    job: dict[str, Any] | None
    retrain: dict[str, Any] | None
    missed: str
    max_missed: int
    overlap: str
    enabled: bool
    start_at: datetime | None
    end_at: datetime | None
    next_runs: list[UpcomingRun]
    last_run: RunAnswer | None
    #: counts every change; the ETag
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime


class SchedulePage(BaseModel):
    items: list[ScheduleAnswer]
    next_cursor: str | None


_PLAIN = (
    *("id", "name", "description", "labels", "cron", "timezone", "kind", "missed", "max_missed"),
    *("overlap", "enabled", "start_at", "end_at", "version", "created_at", "created_by"),
    "updated_at",
)
_RUN = (
    *("id", "run_at", "trigger", "state", "outcome", "reason", "error", "job_ids", "details"),
    *("created_at", "finished_at", "decided_by"),
)


def schedule_json(row: ScheduleRow, last_run: ScheduleRunRow | None) -> dict[str, Any]:
    spec = spec_of(row)
    return {
        **{name: getattr(row, name) for name in _PLAIN},
        "job": row.template if spec.job is not None else None,
        "retrain": row.template if spec.retrain is not None else None,
        "next_runs": [upcoming_json(at, row.timezone) for at in upcoming(row, _SHOWN)],
        "last_run": None if last_run is None else run_json(last_run, row.timezone),
    }


def run_json(row: ScheduleRunRow, timezone: str) -> dict[str, Any]:
    body = {name: getattr(row, name) for name in _RUN}
    return {**body, "local": _local(row.run_at, timezone)}


def upcoming_json(at: datetime, timezone: str) -> dict[str, Any]:
    return {"at": at, "local": _local(at, timezone)}


def _local(at: datetime, timezone: str) -> str:
    """As RFC 3339, with the offset that the zone has then."""
    return at.astimezone(ZoneInfo(timezone)).isoformat(timespec="seconds")
