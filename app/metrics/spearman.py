"""Spearman's rank correlation."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class Spearman(Metric):
    """Correlation of ranks (ties share their mean rank); NaN when one side is constant."""

    name = "spearman"
    summary = "Rank correlation of measured and predicted"
    reference = "scipy.stats.spearmanr"
    tasks = frozenset({"regression"})
    direction = "maximize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del probabilities
        from scipy.stats import rankdata

        a, b = rankdata(y_true), rankdata(y_pred)
        if np.ptp(a) == 0 or np.ptp(b) == 0:
            return float("nan")
        return float(np.corrcoef(a, b)[0, 1])
