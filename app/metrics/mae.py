"""Mean absolute error."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class Mae(Metric):
    name = "mae"
    aliases = ("mean_absolute_error",)
    summary = "Mean absolute error, in the target's unit"
    reference = "sklearn.metrics.mean_absolute_error"
    tasks = frozenset({"regression"})
    direction = "minimize"
    has_unit = True

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del probabilities
        return float(np.mean(np.abs(y_true - y_pred)))
