"""What a schedule is made of, as a person writes it."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.core.requests import Instant, RequestModel, Slug
from app.features.params import DatasetRef

RETRAIN = "retrain"
_Label = Annotated[str, Field(max_length=200)]
Labels = Annotated[dict[_Label, _Label], Field(max_length=40)]
CronText = Annotated[str, Field(min_length=1, max_length=200, examples=["0 2 * * SUN"])]
ZoneText = Annotated[str, Field(max_length=100, examples=["Europe/Berlin"])]


class JobTemplate(RequestModel):
    """A job as in POST /jobs, submitted anew at every run."""

    kind: str = Field(max_length=50)
    params: dict[str, Any] = Field(max_length=200)
    labels: Labels = Field(default_factory=dict)
    priority: int = Field(default=5, ge=0, le=9)
    deadline_seconds: float | None = Field(default=None, gt=0, le=30 * 86_400)


class RetrainSpec(RequestModel):
    """Train the next version of a model, compare it with the champion on the same rows, decide."""

    #: name of the model
    model: Slug
    #: `name` (its newest version at each run) | `name:3`; left out: the champion's, the newest
    dataset: DatasetRef | None = Field(default=None, max_length=100)
    #: on which both are measured; better one that neither has learned from
    evaluate_on: DatasetRef = Field(max_length=100, examples=["holdout:1"])
    #: when the new version passes the gate: promote it, hold it for approval, or only keep it
    then: Literal["promote", "hold", "keep"] = "hold"
    alias: Slug = "champion"
    #: params of the training, as in a `train` job; left out: those of the champion
    train: dict[str, Any] | None = Field(default=None, max_length=50)
    #: no run while the data set has no newer version than the champion was trained on
    only_new_data: bool = False
    #: of the comparison, where the alias has no policy of its own; left out: the task's main one
    metric: str | None = Field(default=None, max_length=100)
    #: what the lower end of the improvement's interval must reach, in the metric's unit
    min_delta: float = Field(default=0.0, ge=-1e9, le=1e9)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    labels: Labels = Field(default_factory=dict)
    priority: int = Field(default=5, ge=0, le=9)


class ScheduleFields(RequestModel):
    """When, and what about runs that were missed or overlap."""

    cron: CronText
    timezone: ZoneText = "UTC"
    description: Annotated[str, Field(max_length=2_000)] = ""
    labels: Labels = Field(default_factory=dict)
    #: of runs that nobody fired in time (an outage): none, the last, or all of them
    missed: Literal["skip", "last", "all"] = "last"
    #: with `all`: the newest so many
    max_missed: int = Field(default=10, ge=1, le=100)
    #: while an earlier run has not ended: skip this one, let it wait, or run both
    overlap: Literal["skip", "queue", "allow"] = "skip"
    enabled: bool = True
    start_at: Instant | None = None
    end_at: Instant | None = None
    #: one of `job` and `retrain`
    job: JobTemplate | None = None
    retrain: RetrainSpec | None = None


class ScheduleSpec(ScheduleFields):
    """A whole schedule."""

    name: Slug
