"""Area under the receiver operating characteristic curve."""

import numpy as np

from app.metrics.base import CountedMetric, Values, metrics, undefined
from app.metrics.ranking import Ranking, ratio


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
        if probabilities.shape[1] == 2:  # noqa: PLR2004 - two classes
            return _areas(y_true == 1, probabilities[:, 1], counts)
        areas = np.array(
            [
                _areas(y_true == number, probabilities[:, number], counts)
                for number in range(probabilities.shape[1])
            ]
        )
        defined = np.isfinite(areas)
        return ratio(np.where(defined, areas, 0.0).sum(axis=0), defined.sum(axis=0).astype(float))


def _areas(positive: np.ndarray, score: Values, counts: Values) -> Values:
    taken = counts[:, positive]
    n_positive = taken.sum(axis=1)
    n_negative = len(score) - n_positive
    ranks = Ranking.of(score).ranks(counts)[:, positive]
    above = np.sum(taken * ranks, axis=1) - n_positive * (n_positive + 1) / 2
    return ratio(above, n_positive * n_negative)
