"""One estimator per target: how algorithms that know one target learn many, with missing labels."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from app.algorithms.base import (
    Algorithm,
    Examples,
    FitContext,
    FittedModel,
    LearningTask,
    Matrix,
    Predictions,
)
from app.algorithms.cleaning import Cleaning
from app.algorithms.scaling import Scaling
from app.core.errors import InvalidInput

_MIN_LABELS = 2


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """One target's estimator; None when its training labels were all of one class."""

    estimator: Any | None
    #: class indices that the estimator's probability columns stand for
    seen: tuple[int, ...] = ()
    #: one of them at most: how X is prepared, as learned from this target's training rows
    scaling: Scaling | None = None
    cleaning: Cleaning | None = None

    def inputs(self, X: Matrix) -> Matrix:
        prepared = self.scaling or self.cleaning
        return X if prepared is None else prepared.transform(X)


class PerTargetAlgorithm(Algorithm):
    """Subclasses fit, apply and store one estimator; everything about targets is here.

    A target of a multi-target task whose training labels are of one class is predicted as that
    class with probability 1; in a single-target task that is refused.
    """

    #: columns are scaled inside the fit (linear models, kernels), else cleaned (trees)
    scaled: ClassVar[bool] = False
    #: file name ending of a stored estimator
    suffix: ClassVar[str] = ".skops"

    @abstractmethod
    def fit_one(self, X: Matrix, y: NDArray[np.float64], task: str, context: FitContext) -> Any:
        """An estimator fitted to labelled rows; y (n,) numbers or class indices."""

    @staticmethod
    @abstractmethod
    def save_one(estimator: Any, path: Path) -> None: ...

    @staticmethod
    @abstractmethod
    def load_one(path: Path) -> Any: ...

    @staticmethod
    def predict_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        """(n,) numbers of a regressor."""
        return np.asarray(estimator.predict(X), dtype=np.float64)

    @staticmethod
    def predict_proba_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        """(n, seen classes) of a classifier."""
        return np.asarray(estimator.predict_proba(X), dtype=np.float64)

    @staticmethod
    def std_one(estimator: Any, X: Matrix) -> NDArray[np.float64] | None:
        """(n,) spread of an ensemble's members; None when the estimator has none."""
        del estimator, X
        return None

    @staticmethod
    def importances_one(estimator: Any) -> NDArray[np.float64] | None:
        """(width,) importance of each column, when it is cheap."""
        del estimator
        return None

    def fit(
        self,
        task: LearningTask,
        train: Examples,
        validation: Examples | None,
        context: FitContext,
    ) -> FittedModel:
        del validation
        fitted: list[Fitted] = []
        for number, target in enumerate(task.targets):
            context.work.raise_if_cancelled()
            context.work.progress(
                number, len(task.targets), unit="target", stage="fit", message=target
            )
            fitted.append(self._fit_target(task, number, train, context))
        return PerTargetModel(algorithm=type(self), task=task, fitted=fitted)

    def _fit_target(
        self, task: LearningTask, number: int, train: Examples, context: FitContext
    ) -> Fitted:
        labelled = np.isfinite(train.y[:, number])
        y = train.y[labelled, number]
        X = train.X if labelled.all() else train.X[labelled]
        name = task.targets[number]
        if len(y) < _MIN_LABELS:
            raise InvalidInput(
                f"target {name!r} has {len(y)} labelled training rows",
                code="no_labels" if not len(y) else "too_few_rows",
            )
        seen = tuple(int(c) for c in np.unique(y)) if task.is_classification else ()
        if len(seen) == 1:
            if len(task.targets) == 1:
                raise InvalidInput(
                    f"every training row of {name!r} is of one class",
                    code="one_class",
                    remedy="Give rows of at least two classes, or use a stratified split.",
                )
            return Fitted(estimator=None, seen=seen)
        prepared = Fitted(
            estimator=None,
            seen=seen,
            scaling=Scaling.fit(X) if self.scaled else None,
            cleaning=None if self.scaled else Cleaning.fit(X),
        )
        estimator = self.fit_one(prepared.inputs(X), y, task.type, context)
        return replace(prepared, estimator=estimator)

    @classmethod
    def load(cls, folder: Path, task: LearningTask) -> FittedModel:
        return PerTargetModel.load(cls, folder, task)


class PerTargetModel:
    """Predicts each target by its estimator."""

    def __init__(
        self,
        *,
        algorithm: type[PerTargetAlgorithm],
        task: LearningTask,
        fitted: Sequence[Fitted],
    ) -> None:
        self._algorithm = algorithm
        self._task = task
        self._fitted = fitted

    def predict(self, X: Matrix) -> Predictions:
        if not self._task.is_classification:
            values = np.column_stack([self._regress(f, X) for f in self._fitted])
            spreads = [self._spread(f, X) for f in self._fitted]
            known = [spread for spread in spreads if spread is not None]
            std = np.column_stack(known) if len(known) == len(spreads) else None
            return Predictions(values=values, std=std)
        probabilities = [
            self._classify(f, X, len(classes))
            for f, classes in zip(self._fitted, self._task.classes, strict=True)
        ]
        values = np.column_stack([p.argmax(axis=1).astype(np.float64) for p in probabilities])
        return Predictions(values=values, probabilities=probabilities)

    def save(self, folder: Path) -> None:
        targets = []
        for number, fitted in enumerate(self._fitted):
            if fitted.estimator is not None:
                path = folder / f"target-{number}{self._algorithm.suffix}"
                self._algorithm.save_one(fitted.estimator, path)
            if fitted.scaling is not None:
                fitted.scaling.save(folder / f"scaling-{number}.safetensors")
            if fitted.cleaning is not None:
                fitted.cleaning.save(folder / f"cleaning-{number}.safetensors")
            targets.append(
                {
                    "seen": fitted.seen,
                    "constant": fitted.estimator is None,
                    "scaled": fitted.scaling is not None,
                    "cleaned": fitted.cleaning is not None,
                }
            )
        (folder / "targets.json").write_bytes(orjson.dumps(targets))

    @classmethod
    def load(cls, algorithm: type[PerTargetAlgorithm], folder: Path, task: LearningTask) -> Self:
        fitted = []
        for number, entry in enumerate(orjson.loads((folder / "targets.json").read_bytes())):
            path = folder / f"target-{number}{algorithm.suffix}"
            scaling = folder / f"scaling-{number}.safetensors"
            cleaning = folder / f"cleaning-{number}.safetensors"
            fitted.append(
                Fitted(
                    estimator=None if entry["constant"] else algorithm.load_one(path),
                    seen=tuple(entry["seen"]),
                    scaling=Scaling.load(scaling) if entry["scaled"] else None,
                    cleaning=Cleaning.load(cleaning) if entry.get("cleaned") else None,
                )
            )
        return cls(algorithm=algorithm, task=task, fitted=fitted)

    def describe(self) -> dict[str, Any]:
        """Most important feature columns per target: [[column, share], ...], at most 20."""
        return {
            "importances": {
                target: _top(self._algorithm.importances_one(fitted.estimator), fitted.scaling)
                for target, fitted in zip(self._task.targets, self._fitted, strict=True)
                if fitted.estimator is not None
            }
        }

    def importances(self) -> dict[str, NDArray[np.float64]]:
        """Share of each feature column (width,) per target, where the estimator has its own."""
        found = {}
        for target, fitted in zip(self._task.targets, self._fitted, strict=True):
            shares = _shares(self._algorithm, fitted)
            if shares is not None:
                found[target] = shares
        return found

    def _regress(self, fitted: Fitted, X: Matrix) -> NDArray[np.float64]:
        return self._algorithm.predict_one(fitted.estimator, fitted.inputs(X))

    def _spread(self, fitted: Fitted, X: Matrix) -> NDArray[np.float64] | None:
        return self._algorithm.std_one(fitted.estimator, fitted.inputs(X))

    def _classify(self, fitted: Fitted, X: Matrix, n_classes: int) -> NDArray[np.float64]:
        probabilities = np.zeros((len(X), n_classes))
        seen = list(fitted.seen)
        if fitted.estimator is None:
            probabilities[:, seen] = 1.0
        else:
            inputs = fitted.inputs(X)
            probabilities[:, seen] = self._algorithm.predict_proba_one(fitted.estimator, inputs)
        return probabilities


def _shares(algorithm: type[PerTargetAlgorithm], fitted: Fitted) -> NDArray[np.float64] | None:
    """Sum 1, over all columns; those that scaling dropped have 0."""
    found = None if fitted.estimator is None else algorithm.importances_one(fitted.estimator)
    if found is None or not found.sum() > 0:
        return None
    if fitted.scaling is None:
        whole: NDArray[np.float64] = found / found.sum()
        return whole
    shares = np.zeros(len(fitted.scaling.kept))
    shares[fitted.scaling.kept] = found / found.sum()
    return shares


def _top(
    importances: NDArray[np.float64] | None, scaling: Scaling | None
) -> list[tuple[int, float]]:
    if importances is None or not importances.sum() > 0:
        return []
    columns = np.arange(len(importances)) if scaling is None else np.flatnonzero(scaling.kept)
    shares = importances / importances.sum()
    best = np.argsort(-shares, kind="stable")[:20]
    return [(int(columns[i]), round(float(shares[i]), 6)) for i in best if shares[i] > 0]
