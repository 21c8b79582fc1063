"""Preprocessing of features inside the fit, for algorithms that need comparable columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

#: a column that reaches beyond is winsorized first: `Ipc` spans 40 orders of magnitude
_ABSURD = 1e4
_TAIL = 0.005
#: standard deviations; what is farther away is no better informed
LIMIT = 10.0


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Learned from training rows only, in this order: columns that are constant or never finite are
    dropped; missing and infinite values become the column's median; columns that reach beyond
    10^4 are winsorized at their 0.5 and 99.5 percentiles; all are centred, divided by their
    standard deviation, and clipped at 10 standard deviations.
    """

    #: (width,) bool
    kept: NDArray[np.bool_]
    #: (kept,) each
    median: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def fit(cls, X: NDArray[np.generic]) -> Self:
        values = _finite(X)
        with np.errstate(all="ignore"):
            kept = np.nanmax(values, axis=0, initial=-np.inf) > np.nanmin(
                values, axis=0, initial=np.inf
            )
        values = values[:, kept]
        median = np.nanmedian(values, axis=0) if kept.any() else np.zeros(0)
        values = np.where(np.isnan(values), median.astype(np.float32), values)
        low, high = np.full(values.shape[1], -np.inf), np.full(values.shape[1], np.inf)
        absurd = np.abs(values).max(axis=0, initial=0.0) > _ABSURD
        if absurd.any():
            low[absurd], high[absurd] = winsorizing_bounds(values[:, absurd])
        values = np.clip(values, low, high)
        spread = values.std(axis=0, dtype=np.float64)
        return cls(
            kept=kept,
            median=median.astype(np.float32),
            low=low.astype(np.float32),
            high=high.astype(np.float32),
            mean=values.mean(axis=0, dtype=np.float64).astype(np.float32),
            scale=np.where(spread > 0, spread, 1.0).astype(np.float32),
        )

    def transform(self, X: NDArray[np.generic]) -> NDArray[np.float32]:
        """(n, kept) float32, finite."""
        values: NDArray[np.float32] = np.compress(self.kept, X, axis=1).astype(
            np.float32, copy=False
        )
        if X.dtype.kind == "f":
            np.copyto(values, self.median, where=~np.isfinite(values))
        if self._winsorizes:
            np.maximum(values, self.low, out=values)
            np.minimum(values, self.high, out=values)
        values -= self.mean
        values /= self.scale
        np.maximum(values, np.float32(-LIMIT), out=values)
        return np.minimum(values, np.float32(LIMIT), out=values)

    @cached_property
    def _winsorizes(self) -> bool:
        return bool(np.isfinite(self.low).any())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `of` makes the same from."""
        own = {name: getattr(self, name) for name in self.__dataclass_fields__}
        arrays = {name: np.ascontiguousarray(array) for name, array in own.items()}
        return arrays | {"kept": self.kept.astype(np.uint8)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        own = {name: arrays[name] for name in cls.__dataclass_fields__}
        return cls(**own | {"kept": arrays["kept"].astype(bool)})

    def save(self, path: Path) -> None:
        from safetensors.numpy import save_file

        save_file(self.arrays(), path)

    @classmethod
    def load(cls, path: Path) -> Self:
        from safetensors.numpy import load_file

        return cls.of(load_file(path))


def winsorizing_bounds(values: NDArray[Any]) -> NDArray[Any]:
    """Of each column its 0.5 and 99.5 percentile, (2, ...); of few rows the next to the extreme,
    never a mean with it: one absurd value among 100 must not set its own bound.
    """
    low = np.quantile(values, _TAIL, axis=0, method="higher")
    return np.stack([low, np.quantile(values, 1 - _TAIL, axis=0, method="lower")])


def _finite(X: NDArray[np.generic]) -> NDArray[np.float32]:
    values = X.astype(np.float32)
    values[~np.isfinite(values)] = np.nan
    return values
