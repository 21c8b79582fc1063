"""Kendall's rank correlation."""

import numpy as np

from app.metrics.base import Metric, Values, metrics

#: of two rows it is 1 or -1, and scipy divides by zero
_MIN_ROWS = 3


@metrics.register
class Kendall(Metric):
    """Tau-b: pairs in the same order minus pairs in the opposite order, over the pairs that are
    tied on neither side. NaN when one side is constant.
    """

    name = "kendall"
    aliases = ("kendall_tau", "kendalltau")
    summary = "Share of pairs in the right order minus share in the wrong order"
    reference = "scipy.stats.kendalltau(variant='b'); Kendall 1945"
    tasks = frozenset({"regression"})
    direction = "maximize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del probabilities
        if len(y_true) < _MIN_ROWS or np.ptp(y_true) == 0 or np.ptp(y_pred) == 0:
            return float("nan")
        from scipy.stats import kendalltau

        # the exact p-value, which nobody sees here, would be the slow part
        return float(kendalltau(y_true, y_pred, method="asymptotic").statistic)
