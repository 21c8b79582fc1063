"""Columns of a table as numbers, by type."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from app.core.plugin import PluginParams
from app.featurizers.base import Cells, ColumnFeaturizer, Targets, featurizers
from app.featurizers.column_encoders import DateColumn, Impute, NumberColumn, Scale, WordColumn
from app.featurizers.target_encoding import TargetColumn

_LARGEST = float(np.finfo(np.float32).max)
#: that training rows are encoded in, as scikit-learn's TargetEncoder does
_FOLDS = 5

_Encoder = NumberColumn | DateColumn | WordColumn | TargetColumn
_ENCODERS: TypeAdapter[list[_Encoder]] = TypeAdapter(
    list[Annotated[_Encoder, Field(discriminator="type")]]
)


@featurizers.register
class TypedColumns(ColumnFeaturizer):
    """Learned from training rows only, so that nothing of other rows leaks in:

    - numbers: a missing one becomes the training median (or mean), and `<column> is missing` says
      so;
    - dates: days since 1970-01-01, month, weekday (0 Monday), hour; missing ones as for numbers;
    - numbers and dates are scaled when asked for, by the filled training rows;
    - words: one column of 0 and 1 for each of the `max_categories` most frequent words, one for all
      other words and one for missing cells where training rows have such; of two words without
      missing cells one column is enough. A word that no training row has is none of them;
    - words with `"words": "target"`: the mean of the target over the training rows with the word
      (app/featurizers/target_encoding.py), for columns of many words;
    - what is constant over the training rows is left out.
    """

    name = "columns"
    aliases = ("table", "tabular")
    summary = "Columns of a table by type: numbers, dates in parts, words one-hot"
    reference = "scikit-learn SimpleImputer(median, add_indicator) and OneHotEncoder"

    class Params(PluginParams):
        #: words of a column that get a column of their own; rarer ones share one
        max_categories: int = Field(default=30, ge=2, le=1_000)
        #: one_hot: a column for each word; target: the target's mean where the word is
        words: Literal["one_hot", "target"] = "one_hot"
        #: of the training rows, for a missing number or date
        impute: Impute = "median"
        #: of numbers and dates; standard: mean 0, deviation 1; min_max: from 0 to 1
        scale: Scale = "none"

    @property
    def key(self) -> dict[str, Any]:
        """Later parameters count only where they say something: older models stay what they are."""
        params = self.params.model_dump(exclude_defaults=True)
        return {**super().key, "params": {"max_categories": self.params.max_categories, **params}}

    def fit(self, columns: Sequence[Mapping[str, Any]], cells: Cells) -> "FittedTypedColumns":
        """Raises ValueError for `"words": "target"`, which needs `fit_to`."""
        return self._fitted(columns, cells, None)

    def fit_to(
        self, columns: Sequence[Mapping[str, Any]], cells: Cells, targets: Targets
    ) -> "FittedTypedColumns":
        return self._fitted(columns, cells, targets)

    def _fitted(
        self, columns: Sequence[Mapping[str, Any]], cells: Cells, targets: Targets | None
    ) -> "FittedTypedColumns":
        return FittedTypedColumns([self._encoder(c, cells[c["name"]], targets) for c in columns])

    def _encoder(
        self, column: Mapping[str, Any], values: NDArray[Any], targets: Targets | None
    ) -> _Encoder:
        name, params = column["name"], self.params
        if column["type"] == "number":
            return NumberColumn.fit(name, values, params.impute, params.scale)
        if column["type"] == "date":
            return DateColumn.fit(name, values, params.impute, params.scale)
        if params.words == "one_hot":
            return WordColumn.fit(name, values, params.max_categories)
        if targets is None:
            raise ValueError("target encoding needs targets")
        return TargetColumn.fit(name, values, targets)

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
        return _joined(parts)

    def training(self, cells: Cells, targets: Targets) -> NDArray[np.float32]:
        """As `transform`, with target means of the other folds' rows."""
        order = np.random.default_rng(0).permutation(len(targets.y))
        folds = [np.sort(order[start::_FOLDS]) for start in range(_FOLDS)]
        return _joined(
            [
                encoder.cross_fitted(cells[encoder.name], targets, folds)
                if isinstance(encoder, TargetColumn)
                else encoder.transform(cells[encoder.name])
                for encoder in self._encoders
            ]
        )

    def notes(self, cells: Cells) -> list[list[str]]:
        found: list[list[str]] = [[] for _ in next(iter(cells.values()))]
        for encoder in self._encoders:
            for row, note in encoder.notes(cells[encoder.name]):
                found[row].append(note)
        return found

    def state(self) -> Any:
        return _ENCODERS.dump_python(self._encoders, mode="json")


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    numbers = np.concatenate(parts, axis=1, dtype=np.float64)
    return np.clip(numbers, -_LARGEST, _LARGEST).astype(np.float32)
