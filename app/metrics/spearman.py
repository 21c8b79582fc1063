"""Spearman's rank correlation."""

import numpy as np

from app.metrics.base import CountedMetric, Values, metrics
from app.metrics.ranking import Ranking, ratio


@metrics.register
class Spearman(CountedMetric):
    """Correlation of ranks (ties share their mean rank); NaN when one side is constant."""

    name = "spearman"
    summary = "Rank correlation of measured and predicted"
    reference = "scipy.stats.spearmanr"
    tasks = frozenset({"regression"})
    direction = "maximize"

    def counted(
        self, y_true: Values, y_pred: Values, probabilities: Values | None, counts: Values
    ) -> Values:
        del probabilities
        mean_rank = (counts.sum(axis=1, keepdims=True) + 1) / 2
        a = Ranking.of(y_true).ranks(counts) - mean_rank
        b = Ranking.of(y_pred).ranks(counts) - mean_rank
        spread = np.sum(counts * a * a, axis=1) * np.sum(counts * b * b, axis=1)
        return ratio(np.sum(counts * a * b, axis=1), np.sqrt(spread))
