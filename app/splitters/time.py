"""Time split: learn from the oldest rows, test on the newest."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.core.errors import InvalidInput
from app.core.names import shown
from app.splitters.base import FractionParams, Indices, Split, SplitInput, Splitter, splitters
from app.splitters.parts import column_of, require_rows, sizes


@splitters.register
class TimeSplitter(Splitter):
    """The nearest to how a project uses its model. The seed plays no part.

    Rows of one time stay together, so a part may be larger or smaller than asked; rows without a
    time are left out. Folds learn from the earlier rows only (a growing window): the first part is
    never tested.
    """

    name = "time"
    aliases = ("temporal", "date")
    summary = "Oldest rows train, newest rows test"
    reference = "Sheridan 2013, J. Chem. Inf. Model. 53, 783; scikit-learn TimeSeriesSplit"
    seeded = False

    class Params(FractionParams):
        #: name of the column: dates, or numbers such as a year
        column: str = Field(max_length=500)

    def split(self, rows: SplitInput, seed: int) -> Split:
        del seed
        require_rows(rows)
        order, times = self._ordered(rows)
        train, validation, _ = sizes(len(order), self.params)
        test_from = _change_near(times, train + validation)
        train_to = _change_near(times[:test_from], train) if validation else test_from
        return Split(
            train=np.sort(order[:train_to]),
            validation=np.sort(order[train_to:test_from]),
            test=np.sort(order[test_from:]),
        )

    def fold_parts(self, rows: SplitInput, seed: int, n: int) -> list[Indices]:
        """From the oldest to the newest, one more than folds."""
        del seed
        order, times = self._ordered(rows)
        wanted = [len(order) * place // (n + 1) for place in range(1, n + 1)]
        return np.split(order, sorted({_change_near(times, place) for place in wanted}))

    def folds(self, rows: SplitInput, seed: int, n: int) -> list[Split]:
        parts = self.fold_parts(rows, seed, n)
        empty = np.empty(0, dtype=np.int64)
        return [
            Split(
                train=np.sort(np.concatenate(parts[:place])),
                validation=empty,
                test=np.sort(parts[place]),
            )
            for place in range(1, len(parts))
        ]

    def _ordered(self, rows: SplitInput) -> tuple[Indices, NDArray[np.float64]]:
        """Rows from the oldest to the newest, and their times."""
        cells = column_of(rows, self.params.column)
        times = np.array([self._time(row, cell) for row, cell in enumerate(cells)])
        order = np.argsort(times, kind="stable")[: int(np.isfinite(times).sum())]
        times = times[order]
        if not len(times) or times[0] == times[-1]:
            raise InvalidInput(
                f"column {self.params.column!r} holds fewer than two times",
                code="too_few_groups",
                remedy="Name a column of dates or numbers that differ.",
            )
        return order.astype(np.int64), times

    def _time(self, row: int, cell: Any) -> float:
        if cell is None or cell == "":
            return np.nan
        if isinstance(cell, datetime):
            return (cell if cell.tzinfo else cell.replace(tzinfo=UTC)).timestamp()
        try:
            return float(cell)
        except ValueError as error:
            raise InvalidInput(
                f"row {row + 1} of column {self.params.column!r} is no date and no number: "
                f"{shown(cell)}",
                code="bad_split_column",
                remedy="Name a column of dates or numbers.",
            ) from error


def _change_near(times: NDArray[np.float64], place: int) -> int:
    """The place nearest to `place` where another time begins; the end when none does."""
    changes = np.flatnonzero(np.diff(times)) + 1
    return int(changes[np.argmin(np.abs(changes - place))]) if len(changes) else len(times)
