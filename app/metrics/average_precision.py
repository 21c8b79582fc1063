"""Area under the precision-recall curve."""

import numpy as np
from numpy.typing import NDArray

from app.metrics.base import CountedMetric, Values, metrics, undefined
from app.metrics.ranking import Ranking, mean_over_classes, ratio


@metrics.register
class AveragePrecision(CountedMetric):
    """Sum of precision times gain in recall over the thresholds; NaN without a positive.
    Multiclass: one against the rest, mean over the classes that occur.
    """

    name = "average_precision"
    aliases = ("auprc", "average_precision_score")
    summary = "Mean precision over the recalls: for rare positives"
    reference = "sklearn.metrics.average_precision_score(average='macro')"
    tasks = frozenset({"binary", "multiclass"})
    direction = "maximize"

    def counted(
        self, y_true: Values, y_pred: Values, probabilities: Values | None, counts: Values
    ) -> Values:
        del y_pred
        if probabilities is None:
            return undefined(counts)
        return mean_over_classes(_precisions, y_true, probabilities, counts)


def _precisions(positive: NDArray[np.bool_], score: Values, counts: Values) -> Values:
    # thresholds only where the score changes
    ranking = Ranking.descending(score)
    found = ranking.blocks(counts * positive)
    chosen = np.cumsum(ranking.blocks(counts), axis=1)
    # before the first row that a resample holds nothing is chosen, and nothing found
    precision = np.cumsum(found, axis=1) / np.maximum(chosen, 1.0)
    return ratio(np.sum(found * precision, axis=1), found.sum(axis=1))
