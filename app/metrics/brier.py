"""Brier score."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class Brier(Metric):
    """Two classes: the mean of (p - y)^2 of the positive class, 0 to 1. More classes: summed over
    the classes, 0 to 2, which is Brier's own definition; of two classes that would be twice as
    much.
    """

    name = "brier"
    aliases = ("brier_score_loss",)
    summary = "Mean squared error of the probabilities"
    reference = "sklearn.metrics.brier_score_loss; Brier 1950, Mon. Weather Rev. 78, 1"
    tasks = frozenset({"binary", "multiclass"})
    direction = "minimize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del y_pred
        if probabilities is None:
            return float("nan")
        if probabilities.shape[1] == 2:  # noqa: PLR2004 - two classes
            return float(np.mean((probabilities[:, 1] - (y_true == 1)) ** 2))
        truth = y_true[:, np.newaxis] == np.arange(probabilities.shape[1])
        return float(np.mean(np.sum((probabilities - truth) ** 2, axis=1)))
