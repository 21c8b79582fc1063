"""Mean of the classes' recalls."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class BalancedAccuracy(Metric):
    name = "balanced_accuracy"
    aliases = ("balanced_accuracy_score",)
    summary = "Mean recall over the classes that occur"
    reference = "sklearn.metrics.balanced_accuracy_score"
    tasks = frozenset({"binary", "multiclass"})
    direction = "maximize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del probabilities
        recalls = [np.mean(y_pred[y_true == c] == c) for c in np.unique(y_true)]
        return float(np.mean(recalls))
