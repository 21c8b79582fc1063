"""How good a fitted model is on rows that it has not seen: metrics beside a trivial baseline."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import LearningTask, Predictions
from app.metrics.across_targets import needs_scales, one_unit
from app.metrics.evaluate import Figure, baseline_predictions, default_metric, evaluate

Values = NDArray[np.float64]
PerTarget = dict[str, dict[str, Figure]]
#: targets in one line
_MAX_TOLD = 3


def evaluate_targets(
    task: LearningTask, y: Values, predictions: Predictions, *, n_bootstrap: int, seed: int
) -> PerTarget:
    """Metrics of each target on its labelled rows; a target without one is left out."""

    def one(number: int, known: NDArray[np.bool_]) -> dict[str, Figure]:
        probabilities = predictions.probabilities
        return evaluate(
            task.type,
            y[known, number],
            predictions.values[known, number],
            None if probabilities is None else probabilities[number][known],
            n_bootstrap=n_bootstrap,
            seed=seed,
        )

    return _each_target(task, y, one)


def evaluate_baseline(
    task: LearningTask, y_train: Values, y_test: Values, *, n_bootstrap: int, seed: int
) -> PerTarget:
    """The same for a model that knows only the mean, or the majority, of the training rows."""

    def one(number: int, known: NDArray[np.bool_]) -> dict[str, Figure]:
        labels = y_train[np.isfinite(y_train[:, number]), number]
        classes = len(task.classes[number]) if task.is_classification else 0
        values, probabilities = baseline_predictions(task.type, labels, known.sum(), classes)
        return evaluate(
            task.type,
            y_test[known, number],
            values,
            probabilities,
            n_bootstrap=n_bootstrap,
            seed=seed,
        )

    return _each_target(task, y_test, one)


def _each_target(
    task: LearningTask,
    y: Values,
    one: Callable[[int, NDArray[np.bool_]], dict[str, Figure]],
) -> PerTarget:
    figures: PerTarget = {}
    for number, target in enumerate(task.targets):
        known = np.isfinite(y[:, number])
        if known.any():
            figures[target] = one(number, known)
    return figures


def mean_over_targets(
    per_target: PerTarget, units: Mapping[str, str]
) -> dict[str, dict[str, float | None]]:
    """Each metric's mean over the targets where it is defined. None for errors of several targets
    whose `units` (target -> unit) differ, or are not all stated: such a mean would mean nothing.
    """
    names = sorted({name for figures in per_target.values() for name in figures})
    return {name: {"value": _mean(name, per_target, units)} for name in names}


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
    mean, targets = metrics["mean"].get(name, {}).get("value"), list(metrics["test"])
    if mean is None:
        return _of_each(name, metrics["test"])
    if len(targets) == 1:
        figure = metrics["test"][targets[0]][name]
        if figure["ci_low"] is not None:
            return f"test {name} {mean:.3f} [{figure['ci_low']:.3f}, {figure['ci_high']:.3f}]"
    return f"test {name} {mean:.3f}"


def _of_each(name: str, test: PerTarget) -> str:
    """`test rmse 1.900 (logS), 20.000 (Tm)`, where a mean over the targets would mean nothing."""
    values = {target: figures[name]["value"] for target, figures in test.items() if name in figures}
    told = [f"{value:.3f} ({t})" for t, value in values.items() if value is not None]
    if not told:
        return "test metrics are not defined"
    more = len(told) - _MAX_TOLD
    return f"test {name} {', '.join(told[:_MAX_TOLD])}" + (f" and {more} more" if more > 0 else "")
