"""What a `compare` job takes."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from app.core.requests import PluginSpec, RequestModel
from app.features.params import DatasetRef
from app.training.params import Leaks, LearnSpec, SplitSpec

Fraction = Annotated[float, Field(gt=0, lt=1)]


class Candidate(RequestModel):
    """One way to make a model."""

    algorithm: PluginSpec
    #: left out: those of the comparison
    features: tuple[PluginSpec, ...] = Field(default=(), max_length=8)
    #: what it is called in the result; left out: its algorithm (and its own features)
    name: str | None = Field(default=None, min_length=1, max_length=60, pattern=r"^[^\x00-\x1f]+$")


class CompareParams(RequestModel):
    """Score candidates on the same folds of repeated cross-validation, and say which differences
    are real. Nothing is left to use but the answer: train the chosen one afterwards.
    """

    dataset: DatasetRef = Field(max_length=100, examples=["esol"])
    candidates: tuple[Candidate, ...] = Field(min_length=1, max_length=10)
    #: target columns; left out: the dataset's target columns. Scores are means over targets
    targets: tuple[str, ...] = Field(default=(), max_length=1_000)
    #: auto: text or two-valued columns are classes, others numbers
    task: Literal["auto", "regression", "binary", "multiclass"] = "auto"
    #: of candidates that name none; left out: the default recipe of the data set's kind
    features: tuple[PluginSpec, ...] = Field(default=(), max_length=8)
    #: whose rule cuts the folds: scaffold keeps scaffolds whole, time learns from the past only
    split: SplitSpec = SplitSpec()
    folds: int = Field(default=5, ge=2, le=20)
    #: with other seeds of split and algorithm
    repeats: int = Field(default=5, ge=1, le=20)
    #: the first decides; left out: rmse and spearman, roc_auc and average_precision, or
    #: balanced_accuracy and matthews_corrcoef
    metrics: tuple[Annotated[str, Field(max_length=100)], ...] = Field(default=(), max_length=5)
    #: a smaller difference in the first metric does not matter to you, however real it is
    practical_difference: float | None = Field(default=None, gt=0)
    #: how many times the labels are permuted to see what chance reaches (at least 19 for p = 0.05)
    y_scrambling: int = Field(default=0, ge=0, le=1_000)
    #: parts of the training rows of each fold to learn from as well: [0.25, 0.5, 0.75]
    learning_curve: tuple[Fraction, ...] = Field(default=(), max_length=10)
    #: findings of the leak audit: report names them in the result; refuse fails, before the fits,
    #: for those that it is sure of (severity `error`); refuse_all fails for any, warnings too
    leaks: Leaks = "report"
    #: seed of the algorithms, permutations and parts
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    #: auto: a gpu algorithm waits for a gpu worker only when one is alive
    device: Literal["auto", "cpu", "cuda"] = "auto"
    #: resolved by the gateway when the job was accepted (never sent by clients)
    dataset_id: UUID | None = None

    @field_validator("metrics", "learning_curve")
    @classmethod
    def _each_once(cls, given: tuple[str | float, ...]) -> tuple[str | float, ...]:
        if len(set(given)) < len(given):
            raise ValueError("each may be named once")
        return given

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        counts = Counter(one.name for one in self.candidates if one.name is not None)
        for name, times in counts.items():
            if times > 1:
                raise ValueError(f"{times} candidates are called {name!r}")
        return self

    def learning(self, candidate: Candidate) -> LearnSpec:
        """What this candidate learns from."""
        return LearnSpec(
            dataset=self.dataset,
            targets=self.targets,
            task=self.task,
            features=candidate.features or self.features,
            split=self.split,
            leaks=self.leaks,
            seed=self.seed,
            device=self.device,
            dataset_id=self.dataset_id,
        )


def names_of(candidates: Sequence[Candidate]) -> list[str]:
    """What each is called, no two alike."""
    taken = {one.name for one in candidates if one.name is not None}
    names: list[str] = []
    for one in candidates:
        if one.name is not None:
            names.append(one.name)
            continue
        of = "+".join(spec.name for spec in one.features)
        plain = f"{one.algorithm.name}, {of}" if of else one.algorithm.name
        name, number = plain, 2
        while name in taken:
            name, number = f"{plain} #{number}", number + 1
        taken.add(name)
        names.append(name)
    return names
