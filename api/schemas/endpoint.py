"""Endpoints over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.core.requests import RequestModel, Slug
from app.endpoints.outcomes import Outcome
from app.endpoints.records import Stored, describe
from app.endpoints.spec import (
    CanarySpec,
    EndpointSpec,
    FallbackSpec,
    HistorySpec,
    RouteSpec,
)

_Labels = dict[Annotated[str, Field(max_length=63)], Annotated[str, Field(max_length=255)]]
_Note = Annotated[str, Field(max_length=1_000)]
_Description = Annotated[str, Field(max_length=2_000)]


class EndpointPut(EndpointSpec):
    """What the endpoint shall be, whole. Without `description` or `labels` those stay."""

    description: _Description | None = None
    labels: Annotated[_Labels, Field(max_length=50)] | None = None
    #: why
    note: _Note = ""

    def spec(self) -> EndpointSpec:
        return EndpointSpec.model_validate(
            {name: getattr(self, name) for name in EndpointSpec.model_fields}
        )


class EndpointCreate(EndpointPut):
    name: Slug


class EndpointPatch(RequestModel):
    """Each field that is named is replaced as a whole; null takes `fallback`, `canary` or
    `deadline_ms` away. Only `description` or `labels`: no new revision.
    """

    description: _Description | None = None
    labels: Annotated[_Labels, Field(max_length=50)] | None = None
    note: _Note = ""
    routes: tuple[RouteSpec, ...] = Field(default=(), min_length=1, max_length=10)
    sticky: Literal["key", "structure", "none"] = "key"
    fallback: FallbackSpec | None = None
    canary: CanarySpec | None = None
    history: HistorySpec = HistorySpec()
    cache: bool = True
    deadline_ms: Annotated[int, Field(ge=1, le=600_000)] | None = None
    min_replicas: Annotated[int, Field(ge=1, le=64)] = 1

    def changes(self) -> dict[str, Any]:
        """Fields of the spec that were named."""
        said = self.model_fields_set & EndpointSpec.model_fields.keys()
        return {name: getattr(self, name) for name in said}


class RollbackRequest(RequestModel):
    #: number of a revision; left out: the one before
    revision: Annotated[int, Field(ge=1)] | None = None
    note: _Note = ""


class CanaryRequest(RequestModel):
    #: pause, resume (the step begins anew), step (on, whatever the guards say), abort (back)
    action: Literal["pause", "resume", "step", "abort"]
    note: _Note = ""


class OutcomesRequest(RequestModel):
    outcomes: tuple[Outcome, ...] = Field(min_length=1, max_length=1_000)


class OutcomesAnswer(BaseModel):
    stored: int


class ServedModel(BaseModel):
    model_id: UUID
    name: str
    number: int


class RevisionAnswer(BaseModel):
    """`models`: what each reference meant when it was made; `shares`: percent of the keys by live
    arm; `restores`: the revision that it brought back; `figures`: what a canary's step had seen.
    """

    number: int
    active: bool
    #: created, updated, canary_step, canary_paused, canary_resumed, canary_rolled_back,
    #: canary_finished, rolled_back
    reason: str
    note: str
    created_at: datetime
    created_by: str
    restores: int | None
    spec: EndpointSpec
    models: dict[str, ServedModel]
    canary: dict[str, Any] | None
    figures: dict[str, Any] | None
    shares: dict[str, float]


class RevisionPage(BaseModel):
    items: list[RevisionAnswer]
    next_cursor: str | None


class EndpointAnswer(BaseModel):
    id: UUID
    name: str
    description: str
    labels: dict[str, str]
    #: counts every change; the ETag
    version: int
    created_at: datetime
    created_by: str
    updated_at: datetime
    revision: RevisionAnswer


class EndpointPage(BaseModel):
    items: list[EndpointAnswer]
    next_cursor: str | None


class CanaryAnswer(BaseModel):
    """`waits_for`: why it does not go on now; `goes_back_to`: a revision."""

    model: str
    step: int
    steps: list[float]
    share: float
    paused: bool
    since: datetime
    seconds: float
    requests: int
    other_requests: int
    goes_back_to: int | None
    waits_for: list[str]
    guards: list[dict[str, Any]]


class ArmMetrics(BaseModel):
    """Latencies within 8 %, of requests without cached inputs; shares are null without requests."""

    #: name:number
    model: str
    model_id: UUID
    mode: Literal["live", "shadow", "fallback"]
    requests: int
    inputs: int
    errors: int
    error_rate: float | None
    #: Wilson, 95 %, for one look
    error_rate_interval: list[float] | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    refused_share: float | None
    cached_share: float | None
    out_of_domain_share: float | None
    fallback_share: float | None


class MinuteMetrics(ArmMetrics):
    minute: datetime
    revision: int


class MetricsAnswer(BaseModel):
    endpoint: str
    since: datetime
    arms: list[ArmMetrics]
    minutes: list[MinuteMetrics]


class ComparedArms(BaseModel):
    """Second against first. `error_rate`, `latency_ratio`: {value, interval, p_value, n, is_real};
    `answers`: of a shadow; `outcomes`: by target, where values were measured.
    """

    first: str
    second: str
    mode: Literal["live", "shadow"]
    error_rate: dict[str, Any]
    latency_ratio: dict[str, Any]
    answers: dict[str, dict[str, Any]]
    outcomes: dict[str, dict[str, Any]]
    #: what is known, in sentences
    conclusion: list[str]


class ComparisonOfArms(BaseModel):
    endpoint: str
    #: chance that a difference which is none is ever called real, however often one looks
    alpha: float
    arms: list[ArmMetrics]
    comparisons: list[ComparedArms]


def endpoint_json(stored: Stored) -> dict[str, Any]:
    row = stored.endpoint
    names = ("id", "name", "description", "labels", "version", "created_at", "created_by")
    told: dict[str, Any] = {name: getattr(row, name) for name in (*names, "updated_at")}
    return told | {"revision": describe(stored.revision)}
