"""Area under the precision-recall curve."""

import numpy as np

from app.metrics.base import Metric, Values, metrics


@metrics.register
class AveragePrecision(Metric):
    """Sum of precision times gain in recall over the thresholds; NaN without a positive."""

    name = "average_precision"
    aliases = ("auprc", "average_precision_score")
    summary = "Mean precision over the recalls: for rare positives"
    reference = "sklearn.metrics.average_precision_score"
    tasks = frozenset({"binary"})
    direction = "maximize"

    def compute(self, y_true: Values, y_pred: Values, probabilities: Values | None) -> float:
        del y_pred
        positives = float(np.sum(y_true == 1))
        if probabilities is None or positives == 0:
            return float("nan")
        score = probabilities[:, 1]
        order = np.argsort(-score, kind="stable")
        hits = np.cumsum(y_true[order] == 1)
        # thresholds only where the score changes
        last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
        precision = hits[last] / (last + 1)
        recall = hits[last] / positives
        return float(np.sum(np.diff(recall, prepend=0.0) * precision))
