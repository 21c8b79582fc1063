"""What a `train` job takes."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from app.core.requests import PluginSpec, RequestModel, Slug
from app.features.params import DatasetRef

#: what becomes of what the leak audit finds. report: it is named in the result; refuse: errors (it
#: is sure of them) fail the job before anything is fitted; refuse_all: warnings fail it too
Leaks = Literal["report", "refuse", "refuse_all"]


class SplitSpec(PluginSpec):
    """Which rows train, validate and test; the seed makes it repeatable."""

    name: str = Field(default="random", max_length=100)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)


class LearnSpec(RequestModel):
    """What `train` and `optimize` share: data, targets, features, split."""

    dataset: DatasetRef = Field(max_length=100, examples=["esol"])
    #: target columns; left out: the dataset's target columns. Of a table also a feature column
    targets: tuple[str, ...] = Field(default=(), max_length=1_000)
    #: auto: text or two-valued columns are classes, others numbers
    task: Literal["auto", "regression", "binary", "multiclass"] = "auto"
    #: featurizers, or a recipe; left out: `maplight` for molecules, `columns` for a table
    features: tuple[PluginSpec, ...] = Field(default=(), max_length=8)
    split: SplitSpec = SplitSpec()
    #: findings of the leak audit: report names them in the metrics; refuse fails for those that it
    #: is sure of (severity `error`); refuse_all fails for any, warnings too
    leaks: Leaks = "report"
    #: seed of the algorithm
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    #: auto: a gpu algorithm waits for a gpu worker only when one is alive
    device: Literal["auto", "cpu", "cuda"] = "auto"
    #: model name; left out: the dataset's name. Each training makes its next version
    name: Slug | None = None
    #: resolved by the gateway when the job was accepted (never sent by clients)
    dataset_id: UUID | None = None


class TrainParams(LearnSpec):
    #: the average of three boosters: at or near the best single one on every shared data set
    #: (docs/benchmarks.md)
    algorithm: PluginSpec = PluginSpec(name="consensus")
    #: also point this alias of the model name to the new version
    alias: Slug | None = None
    #: rows that intervals and probabilities are calibrated on: cross: folds of all but the test
    #: rows; split: the validation rows, which are then not learned from; auto: folds while their
    #: fits are cheap
    calibration: Literal["auto", "cross", "split"] = "auto"
    calibration_folds: int = Field(default=5, ge=2, le=20)
    #: bootstrap resamples of the test rows, and of the held-out ones (200 at most), for confidence
    #: intervals
    bootstrap: int = Field(default=1_000, ge=0, le=100_000)
