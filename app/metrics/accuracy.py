"""Share of right answers."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class Accuracy(Metric):
    name = "accuracy"
    aliases = ("accuracy_score",)
    summary = "Share of right classes"
    reference = "sklearn.metrics.accuracy_score"
    tasks = frozenset({"binary", "multiclass"})
    direction = "maximize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del probabilities
        return float(np.mean(y_true == y_pred))
