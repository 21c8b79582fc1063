"""Preprocessing of features inside the fit, for trees: they need no scale, only honest numbers."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from app.algorithms.scaling import winsorizing_bounds

#: beyond any measured quantity, and where sums of float32 lose their meaning: `Ipc` of a large
#: molecule is 10^40. A tree sees only the order of values, so what is below does no harm
_ABSURD = 1e15
#: rows that medians are taken from, evenly spaced: their error is far below a value's own
_MEDIAN_ROWS = 1_000


@dataclass(frozen=True, kw_only=True)
class Cleaning:
    """Learned from training rows only; the columns stay those of X.

    - An infinite value is a missing one.
    - A missing value stays missing where training rows had some, for the tree has learned what to
      do about them; elsewhere it becomes the training median (LightGBM would take it for 0).
    - A column that reaches beyond 10^15 is winsorized at its 0.5 and 99.5 percentiles.
    - A column that is never finite is 0 throughout. It and other constant columns stay: no tree
      splits on them.
    """

    #: (width,) float32; NaN where a missing value stays one
    fill: NDArray[np.float32]
    #: (width,) float32; infinite where nothing is cut off
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    @classmethod
    def fit(cls, X: NDArray[Any]) -> Self | None:
        """X (n, width); None for whole numbers (bits), which need nothing."""
        if X.dtype.kind in "uib":
            return None
        finite = np.isfinite(X)
        whole, width = finite.all(axis=0), X.shape[1]
        fill = np.where(finite.any(axis=0), np.nan, 0.0)
        sample = X[:: max(1, len(X) // _MEDIAN_ROWS)]
        fill[whole] = np.median(sample[:, whole], axis=0) if whole.any() else 0.0
        low, high = np.full(width, -np.inf), np.full(width, np.inf)
        reach = np.fmax(np.fmax.reduce(X, axis=0), -np.fmin.reduce(X, axis=0))
        for column in np.flatnonzero(reach > _ABSURD):
            known = X[finite[:, column], column]
            if np.abs(known).max(initial=0.0) > _ABSURD:  # not infinite values alone
                low[column], high[column] = winsorizing_bounds(known)
        return cls(
            fill=fill.astype(np.float32), low=low.astype(np.float32), high=high.astype(np.float32)
        )

    def transform(self, X: NDArray[Any]) -> NDArray[Any]:
        """(n, width); X itself where there is nothing to do."""
        finite, cut = np.isfinite(X), np.isfinite(self.low)
        changed = cut | (~finite.all(axis=0) & ~np.isnan(self.fill)) | np.isinf(X).any(axis=0)
        if not changed.any():
            return X
        values = X.astype(np.float32)
        values[:, cut] = np.clip(values[:, cut], self.low[cut], self.high[cut])
        np.copyto(values, self.fill, where=~finite)
        return values

    def save(self, path: Path) -> None:
        from safetensors.numpy import save_file

        save_file({"fill": self.fill, "low": self.low, "high": self.high}, path)

    @classmethod
    def load(cls, path: Path) -> Self:
        from safetensors.numpy import load_file

        return cls(**load_file(path))
