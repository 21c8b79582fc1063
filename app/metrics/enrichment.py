"""Enrichment of positives among the rows ranked first."""

import numpy as np

from app.metrics.base import CountedMetric, Values, undefined
from app.metrics.ranking import Ranking, ratio


class Enrichment(CountedMetric):
    """Share of positives in the top `percent` of the ranking over their share in all rows.

    The top holds ceil(n * percent / 100) rows; of rows of equal score at its edge, as many
    positives count as chance would pick. 1 by chance; NaN without a positive, 1 without a negative.
    """

    percent: int

    def counted(
        self, y_true: Values, y_pred: Values, probabilities: Values | None, counts: Values
    ) -> Values:
        del y_pred
        if probabilities is None:
            return undefined(counts)
        ranking, n = Ranking.descending(probabilities[:, 1]), counts.sum(axis=1)
        top = -(-n * self.percent // 100)
        size, found = ranking.blocks(counts), ranking.blocks(counts * (y_true == 1))
        before = np.cumsum(size, axis=1) - size
        share_in_top = np.clip(top[:, np.newaxis] - before, 0.0, size) / np.maximum(size, 1.0)
        hits = np.sum(found * share_in_top, axis=1)
        return ratio(ratio(hits, top), ratio(found.sum(axis=1), n))
