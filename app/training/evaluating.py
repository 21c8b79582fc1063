"""How good a fitted model is on rows that it has not seen: metrics beside a trivial baseline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import LearningTask, Predictions
from app.metrics.across_targets import needs_scales, one_unit
from app.metrics.evaluate import (
    Figure,
    Predicted,
    baseline_predictions,
    default_metric,
    evaluate_jointly,
)

Values = NDArray[np.float64]
PerTarget = dict[str, dict[str, Figure]]
#: targets in one line
_MAX_TOLD = 3


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """Metrics of each target on its labelled rows; a target without one is left out."""

    per_target: PerTarget
    #: of each metric: 95 % interval of its mean over the targets
    of_mean: Mapping[str, tuple[float, float] | None]

    def mean(self, units: Mapping[str, str]) -> dict[str, Figure]:
        """Each metric's mean over the targets where it is defined, with the interval of that mean:
        rows are resampled for all targets at once. Null for errors of several targets whose
        `units` (target -> unit) differ, or are not all stated: such a mean would mean nothing.
        """
        names = sorted({name for figures in self.per_target.values() for name in figures})
        return {name: self._mean(name, units) for name in names}

    def _mean(self, name: str, units: Mapping[str, str]) -> Figure:
        value = _mean(name, self.per_target, units)
        low, high = (self.of_mean[name] if value is not None else None) or (None, None)
        return Figure(value=value, ci_low=low, ci_high=high)


def evaluate_targets(
    task: LearningTask, y: Values, predictions: Predictions, *, n_bootstrap: int, seed: int
) -> Evaluated:
    """On rows with labels y (n, targets), NaN where a row has none."""
    probabilities = predictions.probabilities
    predicted = {
        target: Predicted(
            y_true=y[:, number],
            y_pred=predictions.values[:, number],
            probabilities=None if probabilities is None else probabilities[number],
        )
        for number, target in _labelled(task, y)
    }
    return _evaluated(task, predicted, n_bootstrap, seed)


def evaluate_baseline(
    task: LearningTask, y_train: Values, y_test: Values, *, n_bootstrap: int, seed: int
) -> Evaluated:
    """The same for a model that knows only the mean, or the majority, of the training rows."""
    predicted = {}
    for number, target in _labelled(task, y_test):
        labels = y_train[np.isfinite(y_train[:, number]), number]
        classes = len(task.classes[number]) if task.is_classification else 0
        values, probabilities = baseline_predictions(task.type, labels, len(y_test), classes)
        predicted[target] = Predicted(
            y_true=y_test[:, number], y_pred=values, probabilities=probabilities
        )
    return _evaluated(task, predicted, n_bootstrap, seed)


def _labelled(task: LearningTask, y: Values) -> list[tuple[int, str]]:
    """Targets that have a label."""
    return [(n, target) for n, target in enumerate(task.targets) if np.isfinite(y[:, n]).any()]


def _evaluated(
    task: LearningTask, predicted: dict[str, Predicted], n_bootstrap: int, seed: int
) -> Evaluated:
    found = evaluate_jointly(
        task.type, list(predicted.values()), n_bootstrap=n_bootstrap, seed=seed
    )
    return Evaluated(
        per_target=dict(zip(predicted, found.each, strict=True)), of_mean=found.of_mean
    )


def _mean(name: str, per_target: PerTarget, units: Mapping[str, str]) -> float | None:
    values = {target: f[name]["value"] for target, f in per_target.items() if name in f}
    defined = {target: value for target, value in values.items() if value is not None}
    if not defined:
        return None
    if needs_scales(name, len(defined)) and not one_unit(map(units.get, defined)):
        return None
    return float(np.mean(list(defined.values())))


def headline(task: LearningTask, metrics: dict[str, Any]) -> str:
    """One line for the progress and the log."""
    name = default_metric(task.type)
    mean = metrics["mean"].get(name, {})
    if mean.get("value") is None:
        return _of_each(name, metrics["test"])
    told = f"test {name} {mean['value']:.3f}"
    if mean["ci_low"] is None:
        return told
    return f"{told} [{mean['ci_low']:.3f}, {mean['ci_high']:.3f}]"


def _of_each(name: str, test: PerTarget) -> str:
    """`test rmse 1.900 (logS), 20.000 (Tm)`, where a mean over the targets would mean nothing."""
    values = {target: figures[name]["value"] for target, figures in test.items() if name in figures}
    told = [f"{value:.3f} ({t})" for t, value in values.items() if value is not None]
    if not told:
        return "test metrics are not defined"
    more = len(told) - _MAX_TOLD
    return f"test {name} {', '.join(told[:_MAX_TOLD])}" + (f" and {more} more" if more > 0 else "")
