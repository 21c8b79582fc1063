"""Area under the receiver operating characteristic curve."""

import numpy as np
from numpy.typing import NDArray

from app.metrics.base import CountedMetric, Values, metrics, undefined
from app.metrics.ranking import Ranking, mean_over_classes, ratio


@metrics.register
class RocAuc(CountedMetric):
    """Binary: by ranks (Mann-Whitney). Multiclass: one against the rest, mean over the classes that
    occur. NaN when only one class occurs.
    """

    name = "roc_auc"
    aliases = ("auroc", "roc_auc_score")
    summary = "Chance that a positive ranks above a negative"
    reference = "sklearn.metrics.roc_auc_score(multi_class='ovr', average='macro')"
    tasks = frozenset({"binary", "multiclass"})
    direction = "maximize"

    def counted(
        self, y_true: Values, y_pred: Values, probabilities: Values | None, counts: Values
    ) -> Values:
        del y_pred
        if probabilities is None:
            return undefined(counts)
        return mean_over_classes(_areas, y_true, probabilities, counts)


def _areas(positive: NDArray[np.bool_], score: Values, counts: Values) -> Values:
    taken = counts[:, positive]
    n_positive = taken.sum(axis=1)
    n_negative = counts.sum(axis=1) - n_positive
    ranks = Ranking.of(score).ranks(counts)[:, positive]
    above = np.sum(taken * ranks, axis=1) - n_positive * (n_positive + 1) / 2
    return ratio(above, n_positive * n_negative)
