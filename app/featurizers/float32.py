"""Descriptors as float32, the type that all features are stored in."""

import numpy as np
from numpy.typing import NDArray

_LARGEST = float(np.finfo(np.float32).max)


def to_float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """What is not finite, or too large for float32, is NaN: a fold decides what to do about it."""
    held = np.isfinite(values) & (np.abs(values) <= _LARGEST)
    return np.where(held, values, np.nan).astype(np.float32)
