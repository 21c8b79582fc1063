"""Coefficient of determination."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class R2(Metric):
    """1 - residual / total sum of squares; NaN for a constant target."""

    name = "r2"
    aliases = ("r2_score",)
    summary = "Share of the variance that is explained"
    reference = "sklearn.metrics.r2_score"
    tasks = frozenset({"regression"})
    direction = "maximize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del probabilities
        total = float(np.sum((y_true - y_true.mean()) ** 2))
        if total == 0.0:
            return float("nan")
        return 1.0 - float(np.sum((y_true - y_pred) ** 2)) / total
