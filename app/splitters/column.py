"""Split by a column of the data set: somebody else's published split."""

from typing import Any

import numpy as np
from pydantic import Field

from app.core.errors import InvalidInput
from app.core.names import nearest_first, shown
from app.core.plugin import PluginParams
from app.splitters.base import Indices, Split, SplitInput, Splitter, splitters
from app.splitters.parts import column_of, shuffled

_WORDS = {
    "train": 0,
    "training": 0,
    "valid": 1,
    "val": 1,
    "validation": 1,
    "dev": 1,
    "test": 2,
    "testing": 2,
    "holdout": 2,
}


@splitters.register
class ColumnSplitter(Splitter):
    """Rows with an empty cell are left out."""

    name = "column"
    summary = "As a column says: train, validation or test"
    reference = "-"

    class Params(PluginParams):
        #: name of the column
        column: str = Field(max_length=500)

    def split(self, rows: SplitInput, seed: int) -> Split:
        del seed
        parts = self._parts(rows)
        train, validation, test = (np.flatnonzero(parts == part) for part in range(3))
        if not len(train) or not len(test):
            raise InvalidInput(
                f"column {self.params.column!r} names no train or no test row",
                code="bad_split_column",
                remedy="Both words must occur: train and test (validation may).",
            )
        return Split(train=train, validation=validation, test=test)

    def fold_parts(self, rows: SplitInput, seed: int, n: int) -> list[Indices]:
        """At random among the rows that the column gives to train or validation."""
        learned = np.flatnonzero(np.isin(self._parts(rows), (0, 1)))
        return [learned[part] for part in shuffled(len(learned), seed, n)]

    def _parts(self, rows: SplitInput) -> Indices:
        return np.array(
            [self._part(row, cell) for row, cell in enumerate(column_of(rows, self.params.column))],
            np.int64,
        )

    def _part(self, row: int, cell: Any) -> int:
        text = "" if cell is None else str(cell)
        word = text.strip().lower()
        if not word:
            return -1
        if word not in _WORDS:
            raise InvalidInput(
                f"row {row + 1} of column {self.params.column!r} says {shown(text)}",
                code="bad_split_column",
                remedy=f"Use one of: {', '.join(nearest_first(word, _WORDS))}.",
            )
        return _WORDS[word]
