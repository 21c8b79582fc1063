"""The contract of an algorithm: a feature matrix and targets in, a fitted model out."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from app.core.plugin import Plugin
from app.core.registry import Registry
from app.core.work import SilentContext, WorkContext

if TYPE_CHECKING:
    from optuna.trial import Trial

TaskType = Literal["regression", "binary", "multiclass"]
Matrix = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class LearningTask:
    """What is to be learned; one per model."""

    type: TaskType
    #: target names, in the order of the columns of y
    targets: tuple[str, ...]
    #: classes per target, sorted; y holds their indices. Empty tuples for regression
    classes: tuple[tuple[str, ...], ...] = ()

    @property
    def is_classification(self) -> bool:
        return self.type != "regression"


@dataclass(frozen=True, kw_only=True)
class Examples:
    """n labelled rows: X (n, width) uint8 or float32 (NaN allowed), y (n, targets) float64 with NaN
    for a missing label; class indices for classification.
    """

    X: Matrix
    y: NDArray[np.float64]
    #: (n,) float64, 0 or more: how much each row counts in the fit; None: all the same
    weights: NDArray[np.float64] | None = None


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """For n rows and t targets."""

    #: (n, t) float64: the number, or the index of the most probable class
    values: NDArray[np.float64]
    #: per target (n, n_classes) float64; None for regression
    probabilities: list[NDArray[np.float64]] | None = None
    #: (n, t) float64 spread of the ensemble, in the target's unit (of classes: of the probability
    #: of the class that is told); None where there is none
    std: NDArray[np.float64] | None = None

    def taken(self, rows: NDArray[np.int64]) -> Self:
        """Those of some rows, in that order."""
        return type(self)(
            values=self.values[rows],
            probabilities=self.probabilities and [each[rows] for each in self.probabilities],
            std=None if self.std is None else self.std[rows],
        )

    @classmethod
    def joined(cls, parts: "Sequence[Predictions]") -> Self:
        """One after the other; `parts` are of one task, and there is at least one. With a spread
        where all have one.
        """
        probabilities = None
        if parts[0].probabilities is not None:
            each = [part.probabilities or [] for part in parts]
            probabilities = [np.concatenate(target) for target in zip(*each, strict=True)]
        stds = [part.std for part in parts if part.std is not None]
        return cls(
            values=np.concatenate([part.values for part in parts]),
            probabilities=probabilities,
            std=np.concatenate(stds) if len(stds) == len(parts) else None,
        )


class Checkpoints(Protocol):
    """Where a fit that takes minutes keeps its state, so that another machine can go on with it.

    What is given back was saved by this very fit (its data, parameters and seed), byte for byte.
    """

    def load(self) -> bytes | None:
        """The state after the latest epoch saved; None where there is none. An outage raises."""

    def save(self, epoch: int, state: bytes) -> None:
        """Keep the state after `epoch` in place of earlier ones. Never raises for an outage."""


@dataclass(frozen=True, kw_only=True)
class FitContext:
    """What surrounds a fit. Without `checkpoints` an interrupted one begins again."""

    seed: int = 0
    threads: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    work: WorkContext = field(default_factory=SilentContext)
    checkpoints: Checkpoints | None = None


class FittedModel(Protocol):
    """Predicts without a database; saved and loaded without pickle."""

    def predict(self, X: Matrix) -> Predictions: ...

    def save(self, folder: Path) -> None:
        """Write weights into the empty `folder` (skops, safetensors or native formats only)."""

    def describe(self) -> dict[str, Any]:
        """Figures for the manifest: rounds used, epochs, device, feature importances if cheap."""


@runtime_checkable
class HasImportances(Protocol):
    """A fitted model that says by itself what its features are worth."""

    def importances(self) -> dict[str, NDArray[np.float64]]:
        """Share of each feature column (width,) per target, sum 1; targets without are left out."""


class Algorithm(Plugin):
    """One file each. Parameters keep scikit-learn's (LightGBM's, torch's) names and defaults,
    unless a better default for molecules is argued in the file.
    """

    tasks: ClassVar[frozenset[TaskType]]
    #: which queue it trains on: gpu algorithms run on the CPU too when there is no GPU
    device: ClassVar[Literal["cpu", "gpu"]] = "cpu"
    #: uses the validation part (early stopping); others are fitted without it. Of the class, or
    #: set at construction where it depends on the parameters
    needs_validation: bool = False
    #: rows count by `Examples.weights`; others are fitted as if there were none
    uses_weights: ClassVar[bool] = False
    #: predicts by comparing with the rows that it learned from, so that a prediction costs as many.
    #: Of the class, or set at construction where it depends on the parameters
    compares_rows: bool = False

    @property
    def weighs_classes(self) -> bool:
        """Whether its parameters ask for rare classes to weigh more: then its own decisions stand,
        not those of calibrated probabilities, which would undo that.
        """
        return bool(getattr(self.params, "class_weight", None))

    @abstractmethod
    def fit(
        self,
        task: LearningTask,
        train: Examples,
        validation: Examples | None,
        context: FitContext,
    ) -> FittedModel:
        """Fit on all rows of `train` that carry a label, per target where labels are missing.

        Raises InvalidInput when the data cannot be learned (one class, no label at all).
        """

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, task: LearningTask) -> FittedModel:
        """What `FittedModel.save` wrote; raises InvalidInput for foreign or altered files."""

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        """Parameters drawn from the search space; {} when there is nothing to tune."""
        del trial, task
        return {}

    @classmethod
    def suggest_seed(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        """The search space that the ML worker (S4-09 to S4-11) documents for this algorithm; the
        algorithm's own where it documents none.
        """
        return cls.suggest(trial, task)

    @classmethod
    def unavailable(cls) -> str | None:
        """Why it cannot be used here; None when it can. Cheap: imports nothing."""
        return None

    def ignoring_weights(self) -> tuple[str, ...]:
        """Names of what is fitted as if all rows counted the same."""
        return () if self.uses_weights else (self.name,)

    @classmethod
    def supports(cls, task: TaskType) -> bool:
        return task in cls.tasks


algorithms: Registry[type[Algorithm]] = Registry("app.algorithms", kind="algorithm")
