"""Precision."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class Precision(Metric):
    """Binary: of class 1. Multiclass: mean over the classes that occur or are predicted.
    0 where it is 0 / 0.
    """

    name = "precision"
    aliases = ("precision_score",)
    summary = "Share of the rows given a class that are of it"
    reference = "sklearn.metrics.precision_score(average='binary' or 'macro', zero_division=0)"
    tasks = frozenset({"binary", "multiclass"})
    direction = "maximize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        if probabilities is None or probabilities.shape[1] <= 2:  # noqa: PLR2004 - two classes
            return _precision(y_true == 1, y_pred == 1)
        classes = np.union1d(y_true, y_pred)
        return float(np.mean([_precision(y_true == c, y_pred == c) for c in classes]))


def _precision(true: np.ndarray, predicted: np.ndarray) -> float:
    total = int(predicted.sum())
    return int((true & predicted).sum()) / total if total else 0.0
