"""All metrics of a task at once, with bootstrap confidence intervals, and the trivial baseline."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from app.metrics.base import Metric, Rows, Values, metrics, resampled_known

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
    one = Predicted(y_true=y_true, y_pred=y_pred, probabilities=probabilities)
    found = evaluate_jointly(task, [one], n_bootstrap=n_bootstrap, seed=seed, names=names)
    return found.each[0]


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """One target: y_true (n,) with NaN where it has no label, y_pred (n,), probabilities (n,
    n_classes) of classes.
    """

    y_true: Values
    y_pred: Values
    probabilities: Values | None

    @property
    def known(self) -> "Predicted":
        """The rows with a label."""
        rows = np.isfinite(self.y_true)
        p = None if self.probabilities is None else self.probabilities[rows]
        return Predicted(y_true=self.y_true[rows], y_pred=self.y_pred[rows], probabilities=p)


@dataclass(frozen=True, kw_only=True)
class Joint:
    """Several targets of the same rows."""

    #: of each target
    each: list[dict[str, Figure]]
    #: 95 % interval of each metric's mean over the targets where it is defined
    of_mean: dict[str, tuple[float, float] | None]


def evaluate_jointly(
    task: str,
    targets: Sequence[Predicted],
    *,
    n_bootstrap: int,
    seed: int,
    names: Sequence[str] | None = None,
) -> Joint:
    """As `evaluate`, of targets of the same n rows: a resample draws rows, not labels, so that the
    targets of a molecule stay together, as their errors do. In each resample a target's metric is
    that of the labelled rows drawn, and the mean is taken over the targets where it is defined.
    """
    chosen = metrics_for(task, names)
    rng = np.random.default_rng(seed)
    n = len(targets[0].y_true) if targets else 0
    scores: dict[str, list[Values]] = {metric.name: [] for metric in chosen}
    for size in _sizes(n_bootstrap if n > 1 else 0, n):
        draws = rng.integers(0, n, (size, n))
        for metric in chosen:
            scores[metric.name].append(_resampled(metric, targets, draws))
    resampled = {
        name: np.concatenate(parts) if parts else np.zeros((0, len(targets)))
        for name, parts in scores.items()
    }
    known = [target.known for target in targets]
    return Joint(
        each=[
            {
                metric.name: _figure(
                    metric.compute(one.y_true, one.y_pred, one.probabilities),
                    resampled[metric.name][:, place] if len(one.y_true) > 1 else np.zeros(0),
                )
                for metric in chosen
            }
            for place, one in enumerate(known)
        ],
        of_mean={name: _interval(_means(scores)) for name, scores in resampled.items()},
    )


def _resampled(metric: Metric, targets: Sequence[Predicted], draws: Rows) -> Values:
    """(b, targets)."""
    found = [
        resampled_known(metric, one.y_true, one.y_pred, one.probabilities, draws) for one in targets
    ]
    return np.column_stack(found)


def _means(scores: Values) -> Values:
    """(b,) of (b, targets): over the targets where it is defined, NaN where none is."""
    defined = np.isfinite(scores)
    count = defined.sum(axis=1)
    total = np.where(defined, scores, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


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


def _figure(value: float, resampled: Values) -> Figure:
    low, high = _interval(resampled) or (None, None)
    return Figure(value=_finite(value), ci_low=low, ci_high=high)


def _interval(resampled: Values) -> tuple[float, float] | None:
    """Percentiles of the resamples where it is defined; None where it is in none."""
    defined = resampled[np.isfinite(resampled)]
    if not len(defined):
        return None
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
