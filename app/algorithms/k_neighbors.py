"""k nearest neighbours."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.algorithms.array_files import load_arrays, save_arrays
from app.algorithms.base import FitContext, LearningTask, Matrix, algorithms
from app.algorithms.imbalance import WeightedClasses
from app.algorithms.neighbourhood import Metric, Neighbourhood
from app.algorithms.per_target import PerTargetAlgorithm, Sample

if TYPE_CHECKING:
    from optuna.trial import Trial

#: distances held at once
_MOST_PAIRS = 20_000_000


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Training rows and their labels; nothing is learned beyond."""

    where: Neighbourhood
    #: (n,) numbers, or places among the classes
    y: NDArray[np.float64]
    #: (n,) how much each row counts
    counts: NDArray[np.float64]
    k: int
    by_distance: bool
    #: 0: numbers
    n_classes: int

    def mean_and_std(self, X: Matrix) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) each: of the neighbours' numbers, by their votes."""
        means, variances = [np.zeros(0)], [np.zeros(0)]
        for rows, votes in self._votes(X):
            values = self.y[rows]
            mean = (values * votes).sum(axis=1)
            means.append(mean)
            variances.append((votes * (values - mean[:, None]) ** 2).sum(axis=1))
        return np.concatenate(means), np.sqrt(np.concatenate(variances))

    def shares(self, X: Matrix) -> NDArray[np.float64]:
        """(n, classes): share of the neighbours' votes."""
        parts = [np.zeros((0, self.n_classes))]
        for rows, votes in self._votes(X):
            of_class = self.y[rows][:, :, None] == np.arange(self.n_classes)
            parts.append((votes[:, :, None] * of_class).sum(axis=1))
        return np.concatenate(parts)

    def _votes(self, X: Matrix) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """For some rows of X at a time: neighbours (rows, k) and their votes, which sum to 1."""
        k, n = min(self.k, len(self.y)), len(self.y)
        step = max(1, _MOST_PAIRS // n)
        for start in range(0, len(X), step):
            distances = self.where.distances(X[start : start + step])
            nearest = np.argsort(distances, axis=1, kind="stable")[:, :k]
            votes = self._of(np.take_along_axis(distances, nearest, axis=1)) * self.counts[nearest]
            votes = np.where(votes.sum(axis=1, keepdims=True) > 0, votes, 1.0)
            yield nearest, votes / votes.sum(axis=1, keepdims=True)

    def _of(self, distances: NDArray[np.float64]) -> NDArray[np.float64]:
        """1 each, or 1 / distance; where there are neighbours at no distance, they alone vote."""
        if not self.by_distance:
            return np.ones_like(distances)
        same = distances == 0
        inverse = 1.0 / np.where(same, 1.0, distances)
        return np.where(same.any(axis=1, keepdims=True), same.astype(np.float64), inverse)

    def save(self, path: Path) -> None:
        values = {
            "metric": self.where.metric,
            "k": self.k,
            "by_distance": self.by_distance,
            "n_classes": self.n_classes,
        }
        save_arrays(path, {**self.where.arrays(), "y": self.y, "counts": self.counts}, values)

    @classmethod
    def load(cls, path: Path) -> Self:
        arrays, values = load_arrays(path)
        where = Neighbourhood.of(values.pop("metric"), arrays)
        return cls(where=where, y=arrays["y"], counts=arrays["counts"], **values)


@algorithms.register
class KNeighbors(PerTargetAlgorithm):
    """What the most similar training rows have; their spread is the std. `auto` compares
    fingerprints by Tanimoto similarity (of counts: smaller by larger; descriptors beside them are
    not looked at), other columns by Euclidean distance after scaling.

    Neighbours vote by 1 / distance, scikit-learn's `weights="distance"` and not its default: a
    near duplicate says more than the fifth neighbour.
    """

    name = "k_neighbors"
    aliases = ("KNeighborsClassifier", "KNeighborsRegressor", "knn", "nearestneighbors")
    summary = "The most similar training rows vote (Tanimoto for fingerprints)"
    reference = "Cover & Hart 1967; Ralaivola et al. 2005; sklearn.neighbors.KNeighborsRegressor"
    tasks = frozenset({"regression", "binary", "multiclass"})
    suffix = ".safetensors"
    compares_rows = True

    class Params(WeightedClasses):
        n_neighbors: int = Field(default=5, ge=1, le=1_000)
        weights: Literal["distance", "uniform"] = "distance"
        metric: Metric | Literal["auto"] = "auto"

    def fit_one(self, sample: Sample, task: str, context: FitContext) -> Any:
        context.work.raise_if_cancelled()
        y, n_classes = sample.y, 0
        if task != "regression":
            classes, places = np.unique(sample.y, return_inverse=True)
            y, n_classes = places.astype(np.float64), len(classes)
        weights = np.ones(len(y)) if sample.weights is None else sample.weights
        voting = weights > 0
        return Neighbours(
            where=Neighbourhood.fit(sample.X[voting], self.params.metric),
            y=y[voting],
            counts=weights[voting],
            k=self.params.n_neighbors,
            by_distance=self.params.weights == "distance",
            n_classes=n_classes,
        )

    @staticmethod
    def predict_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        values: NDArray[np.float64] = estimator.mean_and_std(X)[0]
        return values

    @staticmethod
    def std_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        spread: NDArray[np.float64] = estimator.mean_and_std(X)[1]
        return spread

    @staticmethod
    def predict_proba_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        shares: NDArray[np.float64] = estimator.shares(X)
        return shares

    @staticmethod
    def save_one(estimator: Any, path: Path) -> None:
        estimator.save(path)

    @staticmethod
    def load_one(path: Path) -> Any:
        return Neighbours.load(path)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        del task
        return {
            "n_neighbors": trial.suggest_int("n_neighbors", 1, 30),
            "weights": trial.suggest_categorical("weights", ["distance", "uniform"]),
        }
