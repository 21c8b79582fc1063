"""Two models on the same rows: by how much one is better, and how sure that is.

The rows are drawn with replacement, the same rows for both models, and the difference of the metric
is taken in each draw: what is hard about a row is hard for both and drops out (paired bootstrap,
Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; percentile interval).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.metrics.base import Metric, resampled_known
from app.registry.evaluated_rows import EvaluatedRows

Values = NDArray[np.float64]
_DRAWS = 2_000
_FEWEST_DRAWS = 200
#: of rows times draws times targets, so that a gate answers within seconds
_CELLS = 40_000_000
#: of rows times draws that are held at once
_HELD = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Improvement:
    """Positive: the candidate is better, in the metric's unit, or relative to the scales."""

    #: mean over targets of the metric, of each model; NaN where it is not defined
    candidate: float
    holder: float
    value: float
    low: float
    high: float
    draws: int


def improvement(
    metric: Metric,
    candidate: EvaluatedRows,
    holder: EvaluatedRows,
    *,
    confidence: float,
    scales: Values | None = None,
    seed: int = 0,
) -> Improvement:
    """Both of the same rows and labels, in the same order. Draws in which the metric is not defined
    are left out. `scales` (targets,): each target's errors are divided by its own before the mean
    over the targets (app/metrics/across_targets.py).
    """
    n, n_targets = candidate.y.shape
    draws = int(np.clip(_CELLS // max(1, n * n_targets), _FEWEST_DRAWS, _DRAWS))
    scales = np.ones(n_targets) if scales is None else scales
    sign = 1.0 if metric.direction == "maximize" else -1.0
    rng = np.random.default_rng(seed)
    found = []
    for size in _sizes(draws, n):
        rows = rng.integers(0, n, (size, n))
        found.append(_drawn(metric, candidate, rows, scales) - _drawn(metric, holder, rows, scales))
    differences = sign * np.concatenate(found)
    everything = np.arange(n)[np.newaxis]
    ours = float(_drawn(metric, candidate, everything, scales)[0])
    theirs = float(_drawn(metric, holder, everything, scales)[0])
    defined = differences[np.isfinite(differences)]
    low = high = float("nan")
    if len(defined):
        tail = (1 - confidence) / 2
        low, high = (float(q) for q in np.quantile(defined, [tail, 1 - tail]))
    return Improvement(
        candidate=ours,
        holder=theirs,
        value=sign * (ours - theirs),
        low=low,
        high=high,
        draws=len(defined),
    )


def _sizes(draws: int, n: int) -> list[int]:
    most = max(1, _HELD // n)
    return [min(most, draws - start) for start in range(0, draws, most)]


def _drawn(metric: Metric, of: EvaluatedRows, rows: NDArray[np.int64], scales: Values) -> Values:
    """(draws,): the metric on each line of `rows`, mean over the targets where it is defined."""
    scores = np.stack([_target(metric, of, i, rows) / scales[i] for i in range(len(scales))])
    defined = np.isfinite(scores)
    count = defined.sum(axis=0)
    total = np.where(defined, scores, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _target(metric: Metric, of: EvaluatedRows, i: int, rows: NDArray[np.int64]) -> Values:
    y, predicted = of.y[:, i], of.predicted[:, i]
    probabilities = None if of.probabilities is None else of.probabilities[i]
    return resampled_known(metric, y, predicted, probabilities, rows)
