"""Columns of a table as numbers, by type."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from app.core.plugin import PluginParams
from app.featurizers.base import Cells, ColumnFeaturizer, featurizers

_DAY = np.timedelta64(1, "D")
_LARGEST = float(np.finfo(np.float32).max)
_EPOCH = np.datetime64("1970-01-01", "us")


@featurizers.register
class TypedColumns(ColumnFeaturizer):
    """Learned from training rows only, so that nothing of other rows leaks in:

    - numbers: a missing one becomes the training median, and `<column> is missing` says so;
    - dates: days since 1970-01-01, month, weekday (0 Monday), hour; missing ones as for numbers;
    - words: one column of 0 and 1 for each of the `max_categories` most frequent words, one for all
      other words and one for missing cells where training rows have such; of two words without
      missing cells one column is enough. A word that no training row has is none of them;
    - what is constant over the training rows is left out.
    """

    name = "columns"
    aliases = ("table", "tabular")
    summary = "Columns of a table by type: numbers, dates in parts, words one-hot"
    reference = "scikit-learn SimpleImputer(median, add_indicator) and OneHotEncoder"

    class Params(PluginParams):
        #: words of a column that get a column of their own; rarer ones share one
        max_categories: int = Field(default=30, ge=2, le=1_000)

    def fit(self, columns: Sequence[Mapping[str, Any]], cells: Cells) -> "FittedTypedColumns":
        fitted: list[_Encoder] = []
        for column in columns:
            values = cells[column["name"]]
            if column["type"] == "number":
                fitted.append(_Number.fit(column["name"], values))
            elif column["type"] == "date":
                fitted.append(_Date.fit(column["name"], values))
            else:
                fitted.append(_Words.fit(column["name"], values, self.params.max_categories))
        return FittedTypedColumns(fitted)

    def load(self, state: Any) -> "FittedTypedColumns":
        return FittedTypedColumns(_ENCODERS.validate_python(state))


class FittedTypedColumns:
    """What `TypedColumns` learned, one encoder for each column."""

    def __init__(self, encoders: "Sequence[_Encoder]") -> None:
        self._encoders = list(encoders)

    @property
    def columns(self) -> list[str]:
        return [name for encoder in self._encoders for name in encoder.columns]

    @property
    def sources(self) -> list[str]:
        return [encoder.name for encoder in self._encoders for _ in encoder.columns]

    def transform(self, cells: Cells) -> NDArray[np.float32]:
        parts = [encoder.transform(cells[encoder.name]) for encoder in self._encoders]
        numbers = np.concatenate(parts, axis=1, dtype=np.float64)
        # what float32 cannot hold stays the largest that it can: a number, not infinity
        return np.clip(numbers, -_LARGEST, _LARGEST).astype(np.float32)

    def notes(self, cells: Cells) -> list[list[str]]:
        found: list[list[str]] = [[] for _ in next(iter(cells.values()))]
        for encoder in self._encoders:
            for row, note in encoder.notes(cells[encoder.name]):
                found[row].append(note)
        return found

    def state(self) -> Any:
        return _ENCODERS.dump_python(self._encoders, mode="json")


class _Fitted(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    #: training rows had missing cells
    missing: bool

    def _indicator(self) -> list[str]:
        return [f"{self.name} is missing"] if self.missing else []

    def _indicated(self, gaps: NDArray[np.bool_]) -> list[NDArray[Any]]:
        return [gaps] if self.missing else []


class _Number(_Fitted):
    type: Literal["number"] = "number"
    #: training median; None: constant or never there, so it is left out
    fill: float | None

    @classmethod
    def fit(cls, name: str, values: NDArray[np.float64]) -> "_Number":
        known = values[~np.isnan(values)]
        varies = len(known) > 0 and known.min() < known.max()
        missing = 0 < len(known) < len(values)
        return cls(name=name, missing=missing, fill=float(np.median(known)) if varies else None)

    @property
    def columns(self) -> list[str]:
        return [*([] if self.fill is None else [self.name]), *self._indicator()]

    def transform(self, values: NDArray[np.float64]) -> NDArray[Any]:
        gaps = np.isnan(values)
        filled = [] if self.fill is None else [np.where(gaps, self.fill, values)]
        return _stacked([*filled, *self._indicated(gaps)], len(values))

    def notes(self, values: NDArray[np.float64]) -> list[tuple[int, str]]:
        if self.fill is None:
            return []
        note = f"{self.name} is missing: the training median {self.fill:g} is used"
        return [(int(row), note) for row in np.flatnonzero(np.isnan(values))]


class _Date(_Fitted):
    type: Literal["date"] = "date"
    #: training median, in days since 1970-01-01
    fill: float
    #: those that vary over the training rows
    parts: tuple[Literal["days", "month", "weekday", "hour"], ...]

    @classmethod
    def fit(cls, name: str, values: NDArray[np.datetime64]) -> "_Date":
        known = values[~np.isnat(values)]
        if not len(known):
            return cls(name=name, missing=False, fill=0.0, parts=())
        parts = {part: numbers for part, numbers in _parts(known).items() if np.ptp(numbers) > 0}
        return cls(
            name=name,
            missing=len(known) < len(values),
            fill=float(np.median((known - _EPOCH) / _DAY)),
            parts=tuple(parts),
        )

    @property
    def columns(self) -> list[str]:
        return [*(f"{self.name} {part}" for part in self.parts), *self._indicator()]

    def transform(self, values: NDArray[np.datetime64]) -> NDArray[Any]:
        gaps = np.isnat(values)
        fill = _EPOCH + np.timedelta64(round(self.fill * 86_400_000_000), "us")
        found = _parts(np.where(gaps, fill, values))
        return _stacked([*(found[part] for part in self.parts), *self._indicated(gaps)], len(gaps))

    def notes(self, values: NDArray[np.datetime64]) -> list[tuple[int, str]]:
        if not self.parts:
            return []
        note = f"{self.name} is missing: the training median is used"
        return [(int(row), note) for row in np.flatnonzero(np.isnat(values))]


class _Words(_Fitted):
    type: Literal["words"] = "words"
    #: each has its column, but the last one of two when nothing else can be
    words: tuple[str, ...]
    #: training rows had rarer words
    others: bool

    @classmethod
    def fit(cls, name: str, values: NDArray[np.object_], most: int) -> "_Words":
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


_Encoder = _Number | _Date | _Words
_ENCODERS: TypeAdapter[list[_Encoder]] = TypeAdapter(
    list[Annotated[_Encoder, Field(discriminator="type")]]
)


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
