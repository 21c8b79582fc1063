"""Recall."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class Recall(Metric):
    """Binary: of class 1. Multiclass: mean over the classes that occur or are predicted.
    0 where it is 0 / 0.
    """

    name = "recall"
    aliases = ("recall_score",)
    summary = "Share of the rows of a class that are given it"
    reference = "sklearn.metrics.recall_score(average='binary' or 'macro', zero_division=0)"
    tasks = frozenset({"binary", "multiclass"})
    direction = "maximize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        if probabilities is None or probabilities.shape[1] <= 2:  # noqa: PLR2004 - two classes
            return _recall(y_true == 1, y_pred == 1)
        classes = np.union1d(y_true, y_pred)
        return float(np.mean([_recall(y_true == c, y_pred == c) for c in classes]))


def _recall(true: np.ndarray, predicted: np.ndarray) -> float:
    total = int(true.sum())
    return int((true & predicted).sum()) / total if total else 0.0
