"""Shared by the splitters that cut an order of rows by fractions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.core.names import shown
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


def cut_groups(
    groups: Sequence[Sequence[int]], seed: int, n: int, fractions: FractionParams
) -> Split | None:
    """Whole groups: those larger than half of the test part train; the others, in an order drawn
    by the seed, fill train, then validation, then test (chemprop's balanced variant). None when
    train or test stays empty. `n`: rows.
    """
    wanted = sizes(n, fractions)
    parts: list[list[int]] = [[], [], []]
    for group in _large_first(groups, seed, wanted[2] / 2):
        for part, size in zip(parts, wanted, strict=True):
            if len(part) + len(group) <= size:
                part.extend(group)
                break
        else:
            parts[0].extend(group)
    train, validation, test = (np.sort(np.asarray(part, dtype=np.int64)) for part in parts)
    if not len(train) or not len(test):
        return None
    return Split(train=train, validation=validation, test=test)


def cut_by_size(groups: Sequence[Sequence[int]], n: int, fractions: FractionParams) -> Split | None:
    """Whole groups (rows ascending), the largest first and of equal ones that whose first row comes
    later: each trains if it fits, else validates if it fits, else tests, as DeepChem's
    ScaffoldSplitter has it, with its limits. None when train or test stays empty. `n`: rows.
    """
    most_train, most_seen = fractions.train * n, (fractions.train + fractions.validation) * n
    train, validation, test = list[int](), list[int](), list[int]()
    for group in sorted(groups, key=lambda rows: (len(rows), rows[0]), reverse=True):
        if len(train) + len(group) <= most_train:
            train.extend(group)
        elif len(train) + len(validation) + len(group) <= most_seen:
            validation.extend(group)
        else:
            test.extend(group)
    if not train or not test:
        return None
    first, second, third = (np.array(sorted(p), dtype=np.int64) for p in (train, validation, test))
    return Split(train=first, validation=second, test=third)


def testable(
    groups: Sequence[Sequence[int]], n: int, fractions: FractionParams
) -> NDArray[np.bool_]:
    """(n,) rows of groups that `cut_groups` does not keep for training by their size."""
    limit = sizes(n, fractions)[2] / 2
    mask = np.zeros(n, dtype=np.bool_)
    for group in groups:
        mask[list(group)] = len(group) <= limit
    return mask


def _large_first(groups: Sequence[Sequence[int]], seed: int, limit: float) -> list[Sequence[int]]:
    large = [group for group in groups if len(group) > limit]
    small = [group for group in groups if len(group) <= limit]
    order = np.random.default_rng(seed).permutation(len(small))
    return sorted(large, key=len, reverse=True) + [small[place] for place in order]


def column_of(rows: SplitInput, name: str) -> Sequence[Any]:
    """Raises InvalidInput when the data set has no such column."""
    if rows.column is None:
        raise InvalidInput(
            f"the data set has no split column {shown(name)}",
            code="bad_split_column",
            remedy="Give it the role `split` when you ingest the file.",
        )
    return rows.column


def require_molecules(rows: SplitInput, what: str) -> None:
    if not rows.smiles:
        raise InvalidInput(
            f"a table without molecules has no {what} to split by",
            code="no_structures",
            remedy="Use the split random, stratified, group, time or column.",
        )
