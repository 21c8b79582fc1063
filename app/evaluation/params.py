"""What an `evaluate` job takes."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from app.core.requests import RequestModel
from app.features.params import DatasetRef


class EvaluateParams(RequestModel):
    """Measure a model on labelled rows: metrics with intervals, baseline, confusion, importance."""

    #: `<id>` | `name` (its @champion, else the newest) | `name:3` | `name@alias`
    model: str = Field(max_length=130, examples=["esol@champion"])
    #: left out: the data set that the model was trained on
    dataset: DatasetRef | None = Field(default=None, max_length=100)
    #: test: the test rows of the model's own split; all: every labelled row. Left out: test on the
    #: model's own data set, all on another
    part: Literal["test", "all"] | None = None
    #: left out: every target of the model that the data set has
    targets: tuple[str, ...] = Field(default=(), max_length=1_000)
    #: resamples of the rows for confidence intervals
    bootstrap: int = Field(default=1_000, ge=0, le=100_000)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    #: resolved by the gateway when the job was accepted (never sent by clients)
    model_id: UUID | None = None
    dataset_id: UUID | None = None
