"""Group split: all rows of one laboratory, series, patient or batch on one side."""

from collections import defaultdict

import numpy as np
from pydantic import Field

from app.core.errors import InvalidInput
from app.splitters.base import FractionParams, Indices, Split, SplitInput, Splitter, splitters
from app.splitters.parts import balanced, column_of, cut_groups, require_rows, sizes


@splitters.register
class GroupSplitter(Splitter):
    """Rows with an empty cell are one group together: nobody knows that they are not.

    Groups larger than half of the test part go to train; the others, in an order drawn by the
    seed, fill train, then validation, then test. When all groups are that large, the smallest ones
    are tested and validated.
    """

    name = "group"
    aliases = ("leave_group_out",)
    summary = "Whole groups of a column on one side"
    reference = "scikit-learn GroupShuffleSplit and GroupKFold"

    class Params(FractionParams):
        #: name of the column
        column: str = Field(max_length=500)

    def split(self, rows: SplitInput, seed: int) -> Split:
        require_rows(rows)
        groups = self._groups(rows)
        if len(groups) < 2:  # noqa: PLR2004 - one to learn, one to test
            raise InvalidInput(
                f"column {self.params.column!r} holds one group only",
                code="too_few_groups",
                remedy="Name a column with at least two groups, or use the random split.",
            )
        split = cut_groups(groups, seed, rows.n, self.params)
        return split or self._smallest_tested(groups, rows.n)

    def fold_parts(self, rows: SplitInput, seed: int, n: int) -> list[Indices]:
        return balanced(self._groups(rows), seed, n)

    def _smallest_tested(self, groups: list[list[int]], n: int) -> Split:
        ordered = sorted(groups, key=len)
        validated = int(sizes(n, self.params)[1] > 0 and len(groups) > 2)  # noqa: PLR2004
        parts = (ordered[1 + validated :], ordered[1 : 1 + validated], ordered[:1])
        train, validation, test = (
            np.sort(np.array([row for group in part for row in group], dtype=np.int64))
            for part in parts
        )
        return Split(train=train, validation=validation, test=test)

    def _groups(self, rows: SplitInput) -> list[list[int]]:
        """Rows of each group, in the order of the groups' names."""
        groups: dict[str, list[int]] = defaultdict(list)
        for row, cell in enumerate(column_of(rows, self.params.column)):
            groups["" if cell is None else str(cell)].append(row)
        return [groups[name] for name in sorted(groups)]
