"""Root mean squared error."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class Rmse(Metric):
    name = "rmse"
    aliases = ("root_mean_squared_error",)
    summary = "Root mean squared error, in the target's unit"
    reference = "sklearn.metrics.root_mean_squared_error"
    tasks = frozenset({"regression"})
    direction = "minimize"
    has_unit = True

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del probabilities
        return float(np.sqrt(np.mean((y_true - y_pred) ** 2)))
