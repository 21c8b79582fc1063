"""Area under the receiver operating characteristic curve."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class RocAuc(Metric):
    """Binary: by ranks (Mann-Whitney). Multiclass: one against the rest, mean over the classes that
    occur. NaN when only one class occurs.
    """

    name = "roc_auc"
    aliases = ("auroc", "roc_auc_score")
    summary = "Chance that a positive ranks above a negative"
    reference = "sklearn.metrics.roc_auc_score(multi_class='ovr', average='macro')"
    tasks = frozenset({"binary", "multiclass"})
    direction = "maximize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del y_pred
        if probabilities is None or len(np.unique(y_true)) < 2:  # noqa: PLR2004 - two classes
            return float("nan")
        if probabilities.shape[1] == 2:  # noqa: PLR2004 - two classes
            return _auc(y_true == 1, probabilities[:, 1])
        areas = [
            _auc(y_true == number, probabilities[:, number])
            for number in range(probabilities.shape[1])
            if (y_true == number).any()
        ]
        return float(np.mean(areas))


def _auc(positive: np.ndarray, score: Values) -> float:
    from scipy.stats import rankdata

    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    ranks = float(rankdata(score)[positive].sum())
    return (ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)
