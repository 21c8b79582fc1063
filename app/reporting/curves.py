"""Numbers behind the plots: ROC, precision and recall, reliability, error by confidence."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: those of the expected calibration error (app/metrics/expected_calibration_error.py)
_BINS = 15
#: normal quantile of 95 %
_Z = 1.959963984540054


def roc(positive: Flags, score: Values) -> tuple[Values, Values]:
    """(false positive rate, true positive rate), from (0, 0) to (1, 1), one point for each
    different score, as sklearn.metrics.roc_curve(drop_intermediate=False). Both classes occur.
    """
    true, false = _counts(positive, score)
    return np.append(0, false / false[-1]), np.append(0, true / true[-1])


def precision_recall(positive: Flags, score: Values) -> tuple[Values, Values]:
    """(recall, precision) for each different score, strictest first, as
    sklearn.metrics.precision_recall_curve without its last point (recall 0, precision 1).
    """
    true, false = _counts(positive, score)
    return true / true[-1], true / (true + false)


def _counts(positive: Flags, score: Values) -> tuple[Values, Values]:
    """True and false positives at or above each different score, highest first."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    true = np.cumsum(positive[order])[last].astype(np.float64)
    return true, 1.0 + last - true


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """One entry for each of 15 equal bins of probability that has rows."""

    #: mean probability said
    said: Values
    #: share of positives found, with its 95 % Wilson interval
    found: Values
    low: Values
    high: Values
    n: NDArray[np.int64]


def reliability(positive: Flags, probability: Values) -> Reliability:
    """Of at least one row."""
    bins = np.searchsorted(np.linspace(0, 1, _BINS + 1)[1:-1], probability)
    n = np.bincount(bins, minlength=_BINS)
    there = n > 0
    said = np.bincount(bins, probability, _BINS)[there] / n[there]
    found = np.bincount(bins, positive.astype(np.float64), _BINS)[there] / n[there]
    low, high = wilson(found, n[there])
    return Reliability(said=said, found=found, low=low, high=high, n=n[there])


def wilson(share: Values, n: NDArray[np.int64]) -> tuple[Values, Values]:
    """95 % interval of a share (Wilson 1927)."""
    middle = share + _Z**2 / (2 * n)
    half = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    below = 1 + _Z**2 / n
    return (middle - half) / below, (middle + half) / below


def by_rank(order_by: Values, values: Values, groups: int) -> tuple[Values, Values, Values]:
    """Rows in `groups` of equal size by `order_by`, lowest first: per group the mean of `values`
    and the lowest and highest `order_by`. Rows where either is NaN are left out; fewer rows than
    groups give none.
    """
    known = np.flatnonzero(np.isfinite(order_by) & np.isfinite(values))
    if len(known) < groups:
        return np.empty(0), np.empty(0), np.empty(0)
    order = known[np.argsort(order_by[known], kind="stable")]
    parts = np.array_split(order, groups)
    return (
        np.array([values[part].mean() for part in parts]),
        np.array([order_by[part].min() for part in parts]),
        np.array([order_by[part].max() for part in parts]),
    )


def coverage(measured: Values, low: Values, high: Values) -> tuple[float, int]:
    """(share inside, rows with an interval); NaN and 0 without any."""
    known = np.isfinite(low) & np.isfinite(high)
    inside = (measured >= low) & (measured <= high)
    return (float(inside[known].mean()) if known.any() else float("nan")), int(known.sum())
