"""When two models say the same."""

import numpy as np

from app.algorithms.base import Predictions

#: of numbers relative to their size, of probabilities absolute
TOLERANCE = 1e-4


def difference(expected: Predictions, found: Predictions) -> float:
    """The largest one over all rows and targets: of numbers relative to the larger of the number's
    own size and the mean size of the target's (so that a number near 0 asks for no more digits than
    the others have), of classes that of the probabilities. Infinite where shapes differ or a number
    is missing in only one.
    """
    pairs = (
        [(expected.values, found.values)]
        if expected.probabilities is None
        else list(zip(expected.probabilities, found.probabilities or [], strict=False))
    )
    if expected.probabilities is not None and len(found.probabilities or []) != len(pairs):
        return float("inf")
    return max((_largest(a, b, expected.probabilities is None) for a, b in pairs), default=0.0)


def _largest(expected: np.ndarray, found: np.ndarray, relative: bool) -> float:
    if expected.shape != found.shape:
        return float("inf")
    if not expected.size:
        return 0.0
    known = np.isfinite(expected)
    if (known != np.isfinite(found)).any():
        return float("inf")
    size = np.ones_like(expected)
    if relative:
        sizes = np.abs(np.where(known, expected, 0.0))
        size = np.maximum(sizes, sizes.mean(axis=0, keepdims=True))
    size = np.where(size > 0, size, 1.0)
    return float(np.max(np.where(known, np.abs(expected - found), 0.0) / size))
