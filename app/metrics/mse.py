"""Mean squared error."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class Mse(Metric):
    """Its unit is the square of the target's."""

    name = "mse"
    aliases = ("mean_squared_error",)
    summary = "Mean squared error, in the target's unit squared"
    reference = "sklearn.metrics.mean_squared_error"
    tasks = frozenset({"regression"})
    direction = "minimize"
    has_squared_unit = True

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del probabilities
        return float(np.mean((y_true - y_pred) ** 2))
