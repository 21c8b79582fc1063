"""Y-scrambling and the learning curve of one candidate."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.comparison.resampling import corrected_t, permutation_p

Values = NDArray[np.float64]
_ALPHA = 0.05


def scrambling(real: float, permuted: Sequence[float], *, sign: int) -> dict[str, Any] | None:
    """Score of the real labels (mean over the first repeat's folds) against the same of models
    that learned from permuted ones; `sign` is 1 where higher is better, else -1. None when the
    real score is not defined. What is undefined counts as no better than nothing.
    """
    known = [value for value in map(float, permuted) if np.isfinite(value)]
    if not np.isfinite(real) or not known:
        return None
    return {
        "real": real,
        "scrambled": known,
        "scrambled_mean": float(np.mean(known)),
        "scrambled_std": float(np.std(known, ddof=1)) if len(known) > 1 else None,
        "p_value": permutation_p(sign * real, [sign * value for value in known]),
        "smallest_p": 1 / (1 + len(known)),
    }


def learning_curve(
    fractions: Sequence[float],
    scores: Sequence[Values],
    n_train: Sequence[float],
    *,
    sign: int,
    test_to_train: float,
) -> dict[str, Any]:
    """`scores`: of each ascending fraction, the last of them 1, one for each fold (n,); `n_train`:
    mean training rows. `last_step`: what the last step brought, folds paired, with the standard
    error of dependent folds (Nadeau and Bengio 2003), and the same for a doubling of the rows.
    """
    points = [
        _point(fraction, values[np.isfinite(values)], rows)
        for fraction, values, rows in zip(fractions, scores, n_train, strict=True)
    ]
    both = np.isfinite(scores[-1]) & np.isfinite(scores[-2])
    if both.sum() < 2:  # noqa: PLR2004 - a spread needs two
        return {"points": points, "last_step": None}
    gain = corrected_t(sign * (scores[-1][both] - scores[-2][both]), test_to_train)
    doublings = float(np.log2(n_train[-1] / n_train[-2]))
    return {
        "points": points,
        "last_step": {
            "from": fractions[-2],
            "improvement": gain.value,
            "standard_error": gain.standard_error,
            "p_value": gain.p_value,
            "per_doubling": gain.value / doublings if doublings > 0 else None,
            "more_data_helps": gain.p_value < _ALPHA,
        },
    }


def _point(fraction: float, known: Values, rows: float) -> dict[str, Any]:
    """Mean, spread over the folds, and the band one spread wide on each side."""
    if not len(known):
        return {"fraction": fraction, "n_train": rows, "n_folds": 0, "mean": None, "std": None}
    return {
        "fraction": fraction,
        "n_train": rows,
        "n_folds": len(known),
        "mean": float(known.mean()),
        "std": float(known.std(ddof=1)) if len(known) > 1 else None,
    }
