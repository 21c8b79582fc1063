"""What is learned of one column of a table, by its type: a number, a date, words."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

_DAY = np.timedelta64(1, "D")
_EPOCH = np.datetime64("1970-01-01", "us")
_LARGEST = float(np.finfo(np.float32).max)

Impute = Literal["median", "mean"]
Scale = Literal["none", "standard", "min_max"]


class FittedColumn(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    #: training rows had missing cells
    missing: bool

    def _indicator(self) -> list[str]:
        return [f"{self.name} is missing"] if self.missing else []

    def _indicated(self, gaps: NDArray[np.bool_]) -> list[NDArray[Any]]:
        return [gaps] if self.missing else []


class NumberColumn(FittedColumn):
    type: Literal["number"] = "number"
    #: of training rows, for a missing one; None: constant or never there, so it is left out
    fill: float | None
    impute: Impute = "median"
    #: what is subtracted from a value, and what it is divided by then
    shift: float = 0.0
    spread: float = 1.0

    @classmethod
    def fit(
        cls,
        name: str,
        values: NDArray[np.float64],
        impute: Impute = "median",
        scale: Scale = "none",
    ) -> "NumberColumn":
        values = _held(values)
        known = values[~np.isnan(values)]
        missing = 0 < len(known) < len(values)
        if not len(known) or known.min() == known.max():
            return cls(name=name, missing=missing, fill=None)
        fill = float(np.median(known) if impute == "median" else known.mean())
        shift, spread = _scaling(np.where(np.isnan(values), fill, values), scale)
        return cls(name=name, missing=missing, fill=fill, impute=impute, shift=shift, spread=spread)

    @property
    def columns(self) -> list[str]:
        return [*([] if self.fill is None else [self.name]), *self._indicator()]

    def transform(self, values: NDArray[np.float64]) -> NDArray[Any]:
        gaps = np.isnan(values)
        if self.fill is None:
            return _stacked(self._indicated(gaps), len(values))
        filled = np.where(gaps, self.fill, _held(values))
        return _stacked([(filled - self.shift) / self.spread, *self._indicated(gaps)], len(values))

    def notes(self, values: NDArray[np.float64]) -> list[tuple[int, str]]:
        if self.fill is None:
            return []
        note = f"{self.name} is missing: the training {self.impute} {self.fill:g} is used"
        return [(int(row), note) for row in np.flatnonzero(np.isnan(values))]


class DateColumn(FittedColumn):
    type: Literal["date"] = "date"
    #: training median, in days since 1970-01-01
    fill: float
    #: those that vary over the training rows
    parts: tuple[Literal["days", "month", "weekday", "hour"], ...]
    impute: Impute = "median"
    #: per part, as of a number; empty: the parts stay as they are
    scaling: tuple[tuple[float, float], ...] = ()

    @classmethod
    def fit(
        cls,
        name: str,
        values: NDArray[np.datetime64],
        impute: Impute = "median",
        scale: Scale = "none",
    ) -> "DateColumn":
        known = values[~np.isnat(values)]
        if not len(known):
            return cls(name=name, missing=False, fill=0.0, parts=())
        parts = {part: numbers for part, numbers in _parts(known).items() if np.ptp(numbers) > 0}
        days = (known - _EPOCH) / _DAY
        plain = cls(
            name=name,
            missing=len(known) < len(values),
            fill=float(np.median(days) if impute == "median" else days.mean()),
            parts=tuple(parts),
            impute=impute,
        )
        found = plain.transform(values)[:, : len(parts)]
        scaling = [] if scale == "none" else [_scaling(part, scale) for part in found.T]
        return plain.model_copy(update={"scaling": tuple(scaling)})

    @property
    def columns(self) -> list[str]:
        return [*(f"{self.name} {part}" for part in self.parts), *self._indicator()]

    def transform(self, values: NDArray[np.datetime64]) -> NDArray[Any]:
        gaps = np.isnat(values)
        fill = _EPOCH + np.timedelta64(round(self.fill * 86_400_000_000), "us")
        found = _parts(np.where(gaps, fill, values))
        parts = [found[part] for part in self.parts]
        if self.scaling:
            pairs = zip(parts, self.scaling, strict=True)
            parts = [(part - shift) / spread for part, (shift, spread) in pairs]
        return _stacked([*parts, *self._indicated(gaps)], len(gaps))

    def notes(self, values: NDArray[np.datetime64]) -> list[tuple[int, str]]:
        if not self.parts:
            return []
        note = f"{self.name} is missing: the training {self.impute} is used"
        return [(int(row), note) for row in np.flatnonzero(np.isnat(values))]


class WordColumn(FittedColumn):
    type: Literal["words"] = "words"
    #: each has its column, but the last one of two when nothing else can be
    words: tuple[str, ...]
    #: training rows had rarer words
    others: bool

    @classmethod
    def fit(cls, name: str, values: NDArray[np.object_], most: int) -> "WordColumn":
        counts = Counter(value for value in values if value is not None)
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        missing = 0 < counts.total() < len(values)
        return cls(
            name=name, missing=missing, words=tuple(ranked[:most]), others=len(ranked) > most
        )

    @property
    def _kept(self) -> tuple[str, ...]:
        """Words with a column: none where there is nothing to tell apart."""
        if self.others or self.missing:
            return self.words if len(self.words) > 1 or self.others else ()
        return self.words if len(self.words) > 2 else self.words[1:]  # noqa: PLR2004 - of two, one

    @property
    def columns(self) -> list[str]:
        others = [f"{self.name}: other"] if self.others else []
        return [*(f"{self.name} = {word}" for word in self._kept), *others, *self._indicator()]

    def transform(self, values: NDArray[np.object_]) -> NDArray[Any]:
        gaps = np.array([value is None for value in values], dtype=bool)
        parts = [np.equal(values, word) for word in self._kept]
        if self.others:
            parts.append(~gaps & ~np.isin(values, self.words))
        return _stacked([*parts, *self._indicated(gaps)], len(values))

    def notes(self, values: NDArray[np.object_]) -> list[tuple[int, str]]:
        known = {*self.words, *([None] if self.missing else [])}
        return [
            (row, f"{self.name} is missing, as in no training row")
            if value is None
            else (row, f"{self.name}: no training row has {value[:50]!r}")
            for row, value in enumerate(values)
            if value not in known and not (self.others and value is not None)
        ]


def _parts(values: NDArray[np.datetime64]) -> dict[str, NDArray[Any]]:
    days = (values - _EPOCH) / _DAY
    whole = np.floor(days)
    months = values.astype("datetime64[M]").astype(np.int64)
    return {
        "days": days,
        "month": months % 12 + 1,
        "weekday": (whole + 3) % 7,  # 1970-01-01 was a Thursday
        "hour": np.floor((days - whole) * 24),
    }


def _stacked(parts: Sequence[NDArray[Any]], n: int) -> NDArray[Any]:
    return np.column_stack(parts) if parts else np.empty((n, 0))


def _held(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What float32 cannot hold stays the largest that it can: a number, not infinity."""
    return np.clip(values, -_LARGEST, _LARGEST)


def _scaling(values: NDArray[np.float64], scale: Scale) -> tuple[float, float]:
    """(shift, spread) of finite numbers; a constant has the spread 1."""
    if scale == "none":
        return 0.0, 1.0
    if scale == "standard":
        return float(values.mean()), float(values.std()) or 1.0
    return float(values.min()), float(np.ptp(values)) or 1.0
