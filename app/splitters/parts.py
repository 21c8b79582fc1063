"""Shared by the splitters that cut an order of rows by fractions."""

from collections.abc import Sequence

import numpy as np

from app.core.errors import InvalidInput
from app.splitters.base import FractionParams, Indices, Split, SplitInput

MIN_ROWS = 5


def require_rows(rows: SplitInput) -> None:
    if rows.n < MIN_ROWS:
        raise InvalidInput(
            f"{rows.n} rows are too few to split",
            code="too_few_rows",
            remedy=f"Give at least {MIN_ROWS} rows with a target.",
        )


def sizes(n: int, fractions: FractionParams) -> tuple[int, int, int]:
    """Rows of train, validation and test: at least one for each part that is asked for."""
    test = max(1, round(n * fractions.test))
    validation = max(1, round(n * fractions.validation)) if fractions.validation else 0
    return n - test - validation, validation, test


def cut(order: Indices, fractions: FractionParams) -> Split:
    """The first rows of `order` are the test rows, then validation, the rest trains."""
    _, validation, test = sizes(len(order), fractions)
    return Split(
        train=np.sort(order[test + validation :]),
        validation=np.sort(order[test : test + validation]),
        test=np.sort(order[:test]),
    )


def shuffled(n: int, seed: int, parts: int) -> list[Indices]:
    """0 to n - 1 in parts of nearly equal size."""
    order = np.random.default_rng(seed).permutation(n).astype(np.int64)
    return [np.sort(part) for part in np.array_split(order, parts)]


def balanced(groups: Sequence[Sequence[int]], seed: int, parts: int) -> list[Indices]:
    """Whole groups in parts of sizes as equal as they allow: the largest group first, each to the
    part that has the fewest rows; the seed orders groups of one size.
    """
    order = np.random.default_rng(seed).permutation(len(groups))
    filled: list[list[int]] = [[] for _ in range(parts)]
    for place in sorted(order.tolist(), key=lambda place: -len(groups[place])):
        min(filled, key=len).extend(groups[place])
    return [np.sort(np.asarray(part, dtype=np.int64)) for part in filled]
