"""Probabilities that mean what they say."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
#: log-odds = a * log(p) - b * log(1 - p) + c
Beta = tuple[float, float, float]

EDGE = 1e-6
LARGEST_LOG_ODDS = 40.0
#: rows of the rarer side that a calibration is learned from at least
_MIN_ROWS = 15
_PARTS = 5


def calibrate(truth: NDArray[np.bool_], p: Values) -> Beta | None:
    """Of one class against the rest: beta calibration (Kull, Silva Filho & Flach 2017, AISTATS),
    kept only when it lowers the log loss of rows that it was not learned from; None otherwise, and
    with too few rows. truth (n,), p (n,) out-of-fold.
    """
    if min(truth.sum(), (~truth).sum()) < _MIN_ROWS:
        return None
    parts = np.empty(len(p), dtype=np.int64)
    for side in (truth, ~truth):
        parts[side] = np.arange(side.sum()) % _PARTS
    improved = np.empty(len(p))
    for part in range(_PARTS):
        out = parts == part
        improved[out] = apply(p[out], _fit(truth[~out], p[~out]))
    return _fit(truth, p) if _log_loss(truth, improved) < _log_loss(truth, p) else None


def _fit(truth: NDArray[np.bool_], p: Values) -> Beta:
    """Monotone: a negative slope is left out, and the other fitted again."""
    columns = _columns(p)
    slopes, c = _logistic(columns, truth)
    for dropped in (0, 1):
        if slopes[dropped] < 0:
            only, c = _logistic(columns[:, [1 - dropped]], truth)
            slopes = np.zeros(2)
            slopes[1 - dropped] = max(float(only[0]), 0.0)
            break
    return float(slopes[0]), float(slopes[1]), c


def _logistic(columns: Values, truth: NDArray[np.bool_]) -> tuple[Values, float]:
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e4, max_iter=1_000).fit(columns, truth)
    slopes: Values = fitted.coef_[0]
    return slopes, float(fitted.intercept_[0])


def apply(p: Values, beta: Beta | None) -> Values:
    """(n,) calibrated; as given without a calibration."""
    if beta is None:
        return p
    log_odds = _columns(p) @ np.array(beta[:2]) + beta[2]
    return np.asarray(
        1 / (1 + np.exp(-np.clip(log_odds, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS))), dtype=np.float64
    )


def apply_all(probabilities: Values, betas: Sequence[Beta | None]) -> Values:
    """(n, classes): each class by its own, then to sum 1. Of two classes the second decides."""
    if all(beta is None for beta in betas):
        return probabilities
    if probabilities.shape[1] == 2:  # noqa: PLR2004 - two classes
        positive = apply(probabilities[:, 1], betas[1])
        return np.column_stack([1 - positive, positive])
    each = np.column_stack([apply(probabilities[:, c], beta) for c, beta in enumerate(betas)])
    total = each.sum(axis=1, keepdims=True)
    shares: Values = np.divide(each, total, out=probabilities.copy(), where=total > 0)
    return shares


def _columns(p: Values) -> Values:
    clipped = np.clip(p, EDGE, 1 - EDGE)
    return np.column_stack([np.log(clipped), -np.log1p(-clipped)])


def _log_loss(truth: NDArray[np.bool_], p: Values) -> float:
    right = np.clip(np.where(truth, p, 1 - p), EDGE, 1)
    return float(-np.log(right).mean())
