"""Intervals that hold the truth as often as they say."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def factor(errors: Values, expected: Values, level: float) -> float | None:
    """What the expected error is multiplied by: the ceil((n + 1) * level)-th smallest of
    |error| / expected (normalised conformal prediction: Papadopoulos et al. 2008; Lei et al. 2018;
    as `crepes.ConformalRegressor`). None with too few rows for that rank: 9 at 90 %.
    """
    rank = int(np.ceil((len(errors) + 1) * level))
    if not 0 < rank <= len(errors):
        return None
    return float(np.partition(errors / expected, rank - 1)[rank - 1])


def quantile_grid(expected: Values) -> tuple[float, ...]:
    """101 quantiles of the expected errors of rows that were left out: what confidence is
    measured against.
    """
    return tuple(float(q) for q in np.quantile(expected, np.linspace(0, 1, 101)))


def confidence(expected: Values, grid: tuple[float, ...]) -> Values:
    """(n,) 0 to 1: the share of left-out rows with a larger expected error. Where all are
    expected alike, 0.5; NaN without a grid.
    """
    if not grid:
        return np.full(len(expected), np.nan)
    quantiles = np.asarray(grid)
    low = quantiles.searchsorted(expected, side="left")
    high = quantiles.searchsorted(expected, side="right")
    return np.asarray(1 - (low + high) / (2 * len(grid)), dtype=np.float64)
