"""Harmonic mean of precision and recall."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class F1(Metric):
    """Binary: of class 1. Multiclass: mean over the classes that occur or are predicted.
    0 for a class without a right answer.
    """

    name = "f1"
    aliases = ("f1_score",)
    summary = "Harmonic mean of precision and recall"
    reference = "sklearn.metrics.f1_score(average='binary' or 'macro', zero_division=0)"
    tasks = frozenset({"binary", "multiclass"})
    direction = "maximize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        binary = probabilities is None or probabilities.shape[1] <= 2  # noqa: PLR2004
        if binary:
            return _f1(y_true == 1, y_pred == 1)
        classes = np.union1d(y_true, y_pred)
        return float(np.mean([_f1(y_true == c, y_pred == c) for c in classes]))


def _f1(true: np.ndarray, predicted: np.ndarray) -> float:
    total = float(true.sum() + predicted.sum())
    return 2.0 * float((true & predicted).sum()) / total if total else 0.0
