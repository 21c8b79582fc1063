"""Boltzmann-enhanced discrimination of the receiver operating characteristic."""

import numpy as np

from app.metrics.base import CountedMetric, Values, metrics, undefined
from app.metrics.ranking import Ranking, ratio

#: 80 % of the score come from the first 8 % of the ranking
_ALPHA = 20.0


@metrics.register
class Bedroc(CountedMetric):
    """1 when every positive is above every negative, 0 when below; early ranks weigh most (alpha
    20). Rows of equal score share their mean weight, so their order in the file does not matter.
    NaN when only one class occurs.

    Meant for rare positives: a ranking by chance has 0.05 of them when they are few, and more
    the more there are (Truchon & Bayly: alpha times the share of positives well below 1).
    """

    name = "bedroc"
    summary = "How early the positives come when rows are ranked by their score (alpha 20)"
    reference = "rdkit.ML.Scoring.Scoring.CalcBEDROC; Truchon & Bayly 2007"
    tasks = frozenset({"binary"})
    direction = "maximize"

    def counted(
        self, y_true: Values, y_pred: Values, probabilities: Values | None, counts: Values
    ) -> Values:
        del y_pred
        if probabilities is None:
            return undefined(counts)
        ranking = Ranking.descending(probabilities[:, 1])
        size, found = ranking.blocks(counts), ranking.blocks(counts * (y_true == 1))
        totals = counts.sum(axis=1)
        scores = undefined(counts)
        # a rank weighs by its place among all rows taken
        for n in np.unique(totals[totals > 0]):
            lines = totals == n
            scores[lines] = _scores(size[lines], found[lines], int(n))
        return scores


def _scores(size: Values, found: Values, n: int) -> Values:
    """(b,) of n rows each: rows and positives in each block (b, g)."""
    share = found.sum(axis=1) / n
    mixed = (share > 0) & (share < 1)
    # with one class the bounds are equal: any share but 0 and 1 stands in for it
    low, high = _bounds(np.where(mixed, share, 0.5))
    gained = np.sum(found * _mean_weights(size, n), axis=1)
    chance = -np.expm1(-_ALPHA) / np.expm1(_ALPHA / n) / n
    enhancement = ratio(gained, share * n * chance)
    return np.where(mixed, (enhancement - low) / (high - low), np.nan)


def _mean_weights(size: Values, n: int) -> Values:
    """(b, g): mean of exp(-alpha rank / n) over the ranks of each block."""
    weights = np.exp(-_ALPHA * np.arange(1, n + 1) / n)
    up_to = np.concatenate([[0.0], np.cumsum(weights)])
    last = np.cumsum(size, axis=1).astype(np.int64)
    inside = up_to[last] - up_to[last - size.astype(np.int64)]
    return np.asarray(inside / np.maximum(size, 1.0))


def _bounds(share: Values) -> tuple[Values, Values]:
    """Enhancement of the worst and of the best ranking, by the share of positives."""
    low = np.expm1(_ALPHA * share) / (share * np.expm1(_ALPHA))
    high = np.expm1(-_ALPHA * share) / (share * np.expm1(-_ALPHA))
    return low, high
