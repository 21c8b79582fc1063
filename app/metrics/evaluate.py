"""All metrics of a task at once, with bootstrap confidence intervals, and the trivial baseline."""

from collections.abc import Iterator, Sequence
from typing import TypedDict

import numpy as np

from app.metrics.base import Metric, Values, metrics

_LEVEL = 0.95
#: rows of all resamples that are held at once
_CELLS = 1_000_000


class Figure(TypedDict):
    """A metric's value with its 95 % interval; null where it is not defined."""

    value: float | None
    ci_low: float | None
    ci_high: float | None


def default_metric(task: str) -> str:
    """What a model is judged by, and a study optimizes, when nobody says."""
    return {"regression": "rmse", "binary": "roc_auc", "multiclass": "balanced_accuracy"}[task]


def metrics_for(task: str, names: Sequence[str] | None = None) -> list[Metric]:
    chosen = [metrics.get(name) for name in names] if names else list(metrics)
    return [metric() for metric in chosen if task in metric.tasks]


def evaluate(
    task: str,
    y_true: Values,
    y_pred: Values,
    probabilities: Values | None,
    *,
    n_bootstrap: int,
    seed: int,
    names: Sequence[str] | None = None,
) -> dict[str, Figure]:
    """One target, no missing value: y_true and y_pred (n,), probabilities (n, n_classes).

    Intervals are percentiles of `n_bootstrap` resamples of the rows (Efron & Tibshirani 1993);
    resamples in which a metric is not defined are left out. None with fewer than 2 rows.
    """
    chosen = metrics_for(task, names)
    rng = np.random.default_rng(seed)
    n = len(y_true)
    scores: dict[str, list[Values]] = {metric.name: [] for metric in chosen}
    for size in _sizes(n_bootstrap if n > 1 else 0, n):
        draws = rng.integers(0, n, (size, n))
        for metric in chosen:
            scores[metric.name].append(metric.resampled(y_true, y_pred, probabilities, draws))
    return {
        metric.name: _figure(metric.compute(y_true, y_pred, probabilities), scores[metric.name])
        for metric in chosen
    }


def _sizes(n_bootstrap: int, n: int) -> Iterator[int]:
    """Resamples that are drawn at once, so that memory does not grow with rows times resamples."""
    most = max(1, _CELLS // n) if n else 1
    while n_bootstrap > 0:
        yield min(most, n_bootstrap)
        n_bootstrap -= most


def baseline_predictions(
    task: str, y_train: Values, n: int, n_classes: int
) -> tuple[Values, Values | None]:
    """What knows nothing predicts: the mean of the training rows, or their majority class with
    the class frequencies as probabilities. y_train has no missing value.
    """
    if task == "regression":
        return np.full(n, float(np.mean(y_train))), None
    shares = np.bincount(y_train.astype(int), minlength=n_classes) / len(y_train)
    return np.full(n, float(np.argmax(shares))), np.tile(shares, (n, 1))


def _figure(value: float, scores: list[Values]) -> Figure:
    resampled = np.concatenate(scores) if scores else np.zeros(0)
    defined = resampled[np.isfinite(resampled)]
    if not len(defined):
        return Figure(value=_finite(value), ci_low=None, ci_high=None)
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Figure(value=_finite(value), ci_low=float(low), ci_high=float(high))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
