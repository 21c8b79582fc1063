"""How good a fitted model is on rows that it has not seen: metrics beside a trivial baseline."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import LearningTask, Predictions
from app.metrics.evaluate import Figure, baseline_predictions, default_metric, evaluate

Values = NDArray[np.float64]
PerTarget = dict[str, dict[str, Figure]]


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


def mean_over_targets(per_target: PerTarget) -> dict[str, dict[str, float | None]]:
    """Each metric's mean over the targets where it is defined."""
    names = sorted({name for figures in per_target.values() for name in figures})
    means: dict[str, dict[str, float | None]] = {}
    for name in names:
        values = [f[name]["value"] for f in per_target.values() if name in f]
        defined = [value for value in values if value is not None]
        means[name] = {"value": float(np.mean(defined)) if defined else None}
    return means


def headline(task: LearningTask, metrics: dict[str, Any]) -> str:
    """One line for the progress and the log."""
    name = default_metric(task.type)
    mean, targets = metrics["mean"].get(name, {}).get("value"), list(metrics["test"])
    if mean is None:
        return "test metrics are not defined"
    if len(targets) == 1:
        figure = metrics["test"][targets[0]][name]
        if figure["ci_low"] is not None:
            return f"test {name} {mean:.3f} [{figure['ci_low']:.3f}, {figure['ci_high']:.3f}]"
    return f"test {name} {mean:.3f}"
