"""Brier score."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class Brier(Metric):
    name = "brier"
    aliases = ("brier_score_loss",)
    summary = "Mean squared error of the positive class's probability"
    reference = "sklearn.metrics.brier_score_loss"
    tasks = frozenset({"binary"})
    direction = "minimize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del y_pred
        if probabilities is None:
            return float("nan")
        return float(np.mean((probabilities[:, 1] - (y_true == 1)) ** 2))
