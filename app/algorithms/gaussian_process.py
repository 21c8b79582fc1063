"""Gaussian process regression with the Tanimoto kernel."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.algorithms.array_files import load_arrays, save_arrays
from app.algorithms.base import FitContext, LearningTask, Matrix, algorithms
from app.algorithms.neighbourhood import Neighbourhood
from app.algorithms.per_target import PerTargetAlgorithm, Sample
from app.core.errors import InvalidInput
from app.core.plugin import PluginParams

if TYPE_CHECKING:
    from optuna.trial import Trial

#: time grows with the cube of the rows: a minute or two on one core, and 1 GB
_MOST_ROWS = 5_000
#: variance of the noise as a share of the signal's, at least and at most
_NOISE = (1e-6, 1e2)
#: radial kernel: length scales tried, as multiples of the median distance
_LENGTHS = (0.25, 0.5, 1.0, 2.0)
_CHUNK = 2_000


@dataclass(frozen=True, kw_only=True)
class Process:
    """The posterior given the training rows; y = mean + signal * f + noise."""

    where: Neighbourhood
    #: of the radial kernel, in distances; None: Tanimoto
    length: float | None
    mean: float
    #: variance of the function, in the target's unit squared
    signal: float
    #: variance of a measurement, as a share of `signal`
    noise: float
    #: (n,) kernel^-1 (y - mean)
    alpha: NDArray[np.float64]

    def kernel(self, X: Matrix) -> NDArray[np.float64]:
        """(len(X), n), 1 where two rows are the same."""
        return _kernel(self.where.distances(X), self.length)

    def predict(self, X: Matrix) -> NDArray[np.float64]:
        parts = [self.kernel(X[i : i + _CHUNK]) @ self.alpha for i in range(0, len(X), _CHUNK)]
        return self.mean + np.concatenate([np.zeros(0), *parts])

    def std(self, X: Matrix) -> NDArray[np.float64]:
        """(n,) of a new measurement, its noise included."""
        from scipy.linalg import solve_triangular

        parts = [np.zeros(0)]
        for start in range(0, len(X), _CHUNK):
            cross = self.kernel(X[start : start + _CHUNK])
            known = solve_triangular(self._factor, cross.T, lower=True)
            parts.append(np.maximum(1.0 - (known**2).sum(axis=0), 0.0))
        return np.asarray(np.sqrt(self.signal * (np.concatenate(parts) + self.noise)))

    @cached_property
    def _factor(self) -> NDArray[np.float64]:
        """Lower Cholesky factor of the training rows' kernel; not stored, it is large."""
        from scipy.linalg import cholesky

        own = _kernel(self.where.own_distances(), self.length)
        own[np.diag_indices_from(own)] += self.noise
        return np.asarray(cholesky(own, lower=True, overwrite_a=True))

    def save(self, path: Path) -> None:
        values = {name: getattr(self, name) for name in ("length", "mean", "signal", "noise")} | {
            "metric": self.where.metric
        }
        save_arrays(path, {**self.where.arrays(), "alpha": self.alpha}, values)

    @classmethod
    def load(cls, path: Path) -> Self:
        arrays, values = load_arrays(path)
        where = Neighbourhood.of(values.pop("metric"), arrays)
        return cls(where=where, alpha=arrays["alpha"], **values)


@algorithms.register
class GaussianProcess(PerTargetAlgorithm):
    """Exact inference; the std is that of a new measurement and grows away from the training rows.
    Signal and noise come from the marginal likelihood. Best on few hundred to few thousand
    molecules; refuses more than 5,000 rows.

    `auto` takes the Tanimoto kernel for fingerprints (descriptors beside them are not looked at),
    else a radial kernel on scaled columns, whose length is the likeliest of four multiples of the
    median distance.
    """

    name = "gaussian_process"
    aliases = ("GaussianProcessRegressor", "gp", "tanimoto_gp")
    summary = "Exact Gaussian process, with the Tanimoto kernel for fingerprints"
    reference = "Ralaivola et al. 2005, Neural Netw. 18, 1093; Rasmussen & Williams 2006, ch. 2, 5"
    tasks = frozenset({"regression"})
    suffix = ".safetensors"
    uses_weights = False
    compares_rows = True

    class Params(PluginParams):
        kernel: Literal["auto", "tanimoto", "rbf"] = "auto"
        #: variance of the noise as a share of the signal's; null: the likeliest
        noise: float | None = Field(default=None, ge=_NOISE[0], le=_NOISE[1])

    def fit_one(self, sample: Sample, task: str, context: FitContext) -> Any:
        from threadpoolctl import threadpool_limits

        del task
        if len(sample.y) > _MOST_ROWS:
            raise InvalidInput(
                f"{self.name} fits at most {_MOST_ROWS:,} rows, not {len(sample.y):,}: its time "
                "grows with their cube",
                code="too_many_rows_to_fit",
                remedy="Use svm, lightgbm or consensus for as many, or fewer rows.",
            )
        metric = {"rbf": "euclidean"}.get(self.params.kernel, self.params.kernel)
        where = Neighbourhood.fit(sample.X, metric)
        with threadpool_limits(context.threads):
            return _fitted(where, sample.y, self.params.noise, context)

    @staticmethod
    def predict_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        values: NDArray[np.float64] = estimator.predict(X)
        return values

    @staticmethod
    def std_one(estimator: Any, X: Matrix) -> NDArray[np.float64]:
        spread: NDArray[np.float64] = estimator.std(X)
        return spread

    @staticmethod
    def save_one(estimator: Any, path: Path) -> None:
        estimator.save(path)

    @staticmethod
    def load_one(path: Path) -> Any:
        return Process.load(path)

    @classmethod
    def suggest(cls, trial: "Trial", task: LearningTask) -> dict[str, Any]:
        """What the likelihood believes of the noise may be wrong: repeats are rare."""
        del task
        return {"noise": trial.suggest_float("noise", 1e-4, 10.0, log=True)}


def _kernel(distances: NDArray[np.float64], length: float | None) -> NDArray[np.float64]:
    if length is None:
        return 1.0 - distances
    return np.asarray(np.exp(-0.5 * (distances / length) ** 2))


def _fitted(
    where: Neighbourhood, y: NDArray[np.float64], noise: float | None, context: FitContext
) -> Process:
    """Of the lengths tried the likeliest."""
    distances = where.own_distances()
    mean = float(y.mean())
    lengths: list[float | None] = [None]
    if where.metric != "tanimoto":
        apart = distances[np.triu_indices_from(distances, 1)]
        median = float(np.median(apart)) or 1.0
        lengths = [median * share for share in _LENGTHS]
    best: tuple[float, Process] | None = None
    for length in lengths:
        context.work.raise_if_cancelled()
        values, vectors = np.linalg.eigh(_kernel(distances, length))
        values = np.maximum(values, 0.0)
        turned = vectors.T @ (y - mean)
        share = _likeliest_noise(values, turned) if noise is None else noise
        signal = float(np.mean(turned**2 / (values + share))) or 1.0
        alpha = vectors @ (turned / (values + share))
        found = Process(
            where=where, length=length, mean=mean, signal=signal, noise=share, alpha=alpha
        )
        loss = _negative_log_likelihood(share, values, turned)
        if best is None or loss < best[0]:
            best = (loss, found)
    if best is None:
        raise ValueError("no length scale to try")
    return best[1]


def _likeliest_noise(values: NDArray[np.float64], turned: NDArray[np.float64]) -> float:
    """By a fine grid on the logarithmic axis: cheap, the same everywhere, no local minimum."""
    grid = np.geomspace(*_NOISE, 161)
    return float(min(grid, key=lambda share: _negative_log_likelihood(share, values, turned)))


def _negative_log_likelihood(
    share: float, values: NDArray[np.float64], turned: NDArray[np.float64]
) -> float:
    """Of y with the kernel's eigenvalues (n,) and y in its eigenvectors (n,), the signal's variance
    at its best for this share of noise; without constant terms (Rasmussen & Williams, 5.8).
    """
    spread = values + share
    signal = max(float(np.mean(turned**2 / spread)), np.finfo(float).tiny)
    return 0.5 * float(len(turned) * np.log(signal) + np.log(spread).sum())
