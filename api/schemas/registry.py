"""Names, aliases, their history and policies over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from app.core.requests import RequestModel
from app.db.models import AliasRow
from app.db.registry import AliasHistoryRow
from app.registry.aliases import Moved, etag_of

_Label = Annotated[str, Field(max_length=200)]
Labels = dict[_Label, _Label | None]


class AliasRequest(RequestModel):
    """Who approves is who sends it."""

    #: version number of the name
    version: int = Field(ge=1, le=2**31)
    note: str = Field(default="", max_length=1_000)
    #: the evaluation that speaks for the version; left out: the newest on the policy's data set
    evaluation_id: UUID | None = None


class AliasRollback(RequestModel):
    note: str = Field(default="", max_length=1_000)
    #: an earlier holder of the alias; left out: the one before
    version: int | None = Field(default=None, ge=1, le=2**31)


class PolicyRequest(RequestModel):
    """What a version must fulfil before the alias points to it."""

    #: `name` (its newest version now) or `name:3`; left out: any that both versions were
    #: evaluated on
    evaluation_dataset: str | None = Field(default=None, max_length=100)
    #: left out: the main metric of the task (rmse, roc_auc, balanced_accuracy)
    metric: str | None = Field(default=None, max_length=100)
    #: what the lower end of the improvement's interval must reach, in the metric's unit: 0 is not
    #: worse, above it better by at least so much, below it worse by at most so much
    min_delta: float = Field(default=0.0, allow_inf_nan=False)
    #: level of that interval
    confidence: float = Field(default=0.95, ge=0.5, le=0.999)
    #: false: the checks are made and recorded, and refuse nothing
    required: bool = True
    #: who promotes must not be who trained
    four_eyes: bool = False
    #: for one row, as the evaluation measured it (95th percentile)
    max_latency_ms: float | None = Field(default=None, gt=0, allow_inf_nan=False)


class NamePatch(RequestModel):
    """Labels are merged into those that are there; null removes one (RFC 7396)."""

    labels: Labels | None = Field(default=None, max_length=50)
    description: str | None = Field(default=None, max_length=5_000)


class GateAnswer(BaseModel):
    """The table of checks; `checks`: [{"check", "passed", "detail", "facts"?}]."""

    policy: dict[str, Any]
    passed: bool
    checks: list[dict[str, Any]]
    evaluation_id: UUID | None
    dataset: str


class AliasAnswer(BaseModel):
    alias: str
    version: int | None
    note: str
    changed_at: datetime
    changed_by: str
    #: send it in If-Match to change the alias only as it is now
    etag: str


class MovedAnswer(AliasAnswer):
    #: the version that bore it before
    before: int | None
    #: null where the alias has no policy
    gate: GateAnswer | None


class NameAnswer(BaseModel):
    name: str
    versions: list[int]
    newest: int
    aliases: list[AliasAnswer]
    labels: dict[str, str]
    description: str


class NamePage(BaseModel):
    items: list[NameAnswer]
    next_cursor: str | None


class PolicyAnswer(BaseModel):
    alias: str
    evaluation_dataset: str | None
    dataset_id: UUID | None
    metric: str | None
    min_delta: float
    confidence: float
    required: bool
    four_eyes: bool
    max_latency_ms: float | None
    changed_at: datetime
    changed_by: str


class HistoryEntry(BaseModel):
    """`kind`: promoted, rolled_back or removed; `before` and `after` are version numbers."""

    id: UUID
    alias: str
    kind: str
    before: int | None
    after: int | None
    note: str
    by: str
    at: datetime
    evaluation_id: UUID | None
    gate: GateAnswer | None


class HistoryPage(BaseModel):
    items: list[HistoryEntry]
    next_cursor: str | None


def alias_json(row: AliasRow, number: int | None) -> dict[str, Any]:
    plain = ("alias", "note", "changed_at", "changed_by")
    return {name: getattr(row, name) for name in plain} | {"version": number, "etag": etag_of(row)}


def moved_json(moved: Moved) -> dict[str, Any]:
    return alias_json(moved.alias, moved.number) | {"before": moved.before, "gate": moved.gate}


def history_json(row: AliasHistoryRow) -> dict[str, Any]:
    plain = ("id", "alias", "kind", "note", "evaluation_id", "gate")
    return {name: getattr(row, name) for name in plain} | {
        "before": row.from_number,
        "after": row.to_number,
        "by": row.created_by,
        "at": row.created_at,
    }
