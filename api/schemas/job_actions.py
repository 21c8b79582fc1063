"""What may be done to jobs that exist: the requests and answers."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from api.schemas.job import JobAnswer, Label
from app.core.requests import Instant, RequestModel
from app.jobs.filters import JobFilter
from app.jobs.states import JobState

#: merge patch (RFC 7396) on the labels: null takes one away
LabelPatch = Annotated[dict[Label, Label | None], Field(max_length=50)]


class RerunRequest(RequestModel):
    """What the new job shall have otherwise. `params`, `labels`: merge patches (RFC 7396)."""

    params: dict[str, Any] = Field(default_factory=dict, max_length=200)
    labels: LabelPatch = Field(default_factory=dict)
    priority: int | None = Field(default=None, ge=0, le=9)
    deadline_seconds: float | None = Field(default=None, gt=0, le=30 * 86_400)
    #: only say what would be run, and what is different
    dry_run: bool = False


class ChangeAnswer(BaseModel):
    """One value that differs; what is on one side only is null on the other."""

    pointer: str
    before: Any
    after: Any


class RerunAnswer(JobAnswer):
    difference: list[ChangeAnswer]


class RerunTriedAnswer(BaseModel):
    """What a rerun would be submitted with."""

    params: dict[str, Any]
    difference: list[ChangeAnswer]


class RelabelRequest(RequestModel):
    labels: LabelPatch


class BulkFilter(RequestModel):
    """All that is given must hold; at least one is to be given."""

    state: JobState | None = None
    kind: str | None = Field(default=None, max_length=50)
    labels: dict[Label, Label] | None = Field(default=None, max_length=50)
    created_before: Instant | None = None
    created_after: Instant | None = None
    created_by: str | None = Field(default=None, max_length=200)
    ids: tuple[UUID, ...] | None = Field(default=None, max_length=1_000)

    def as_filter(self) -> JobFilter:
        return JobFilter(**{name: getattr(self, name) for name in type(self).model_fields})


class BulkRequest(RequestModel):
    """`dry_run` has no default: whoever changes many jobs says that it is meant."""

    action: Literal["cancel", "retry", "relabel"]
    filter: BulkFilter
    #: for `relabel`
    labels: LabelPatch = Field(default_factory=dict)
    dry_run: bool

    @model_validator(mode="after")
    def _labels_are_for_relabel(self) -> Self:
        if bool(self.labels) != (self.action == "relabel"):
            raise ValueError("`labels` belongs to `relabel`, and to nothing else")
        return self


class BulkAnswer(BaseModel):
    """`matched`: jobs that the filter names; `changed`: those that the action changed, or would
    change. At most 10,000 at once, oldest first: call again while something is changed.
    """

    matched: int
    changed: int
    jobs: list[UUID]
    dry_run: bool
