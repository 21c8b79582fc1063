"""Rows of a file predicted in blocks that the file fixes: an answer does not depend on the cut.

The last digits of a number depend on how many rows are asked about together, and on a row's place
among them: products of matrices are computed in another order, and estimators have other ways for
few rows. So each row stands where its place in the file puts it, in a block of one size; rows that
are refused, or of another chunk, are zeros.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import Predictions
from app.uncertainty.assessor import Assessment

#: rows of a block: with fewer the calls cost more than the rows, with more a chunk that ends inside
#: a block computes more zeros
BLOCK_ROWS = 256

#: features (n, width) and keys (n, ...) in; what is predicted for n rows, and said of that
Ask = Callable[[NDArray[Any], NDArray[Any]], tuple[Predictions, Assessment | None]]


def in_blocks(
    ask: Ask, X: NDArray[Any], keys: NDArray[Any], places: NDArray[np.int64]
) -> tuple[Predictions, Assessment | None]:
    """`ask` about rows X (n, width) and `keys` (n, ...) that stand at `places` (n,) of their file,
    counted from 0, ascending.
    """
    numbers = places // BLOCK_ROWS
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    if not len(starts):
        return ask(X, keys)
    predictions, said = [], []
    for start, stop in zip(starts, [*starts[1:], len(places)], strict=True):
        at = places[start:stop] % BLOCK_ROWS
        found, assessment = ask(_placed(X[start:stop], at), _placed(keys[start:stop], at))
        predictions.append(found.taken(at))
        if assessment is not None:
            said.append(assessment.taken(at))
    return Predictions.joined(predictions), Assessment.joined(said) if said else None


def steps(first: int, rows: int, size: int) -> Iterator[slice]:
    """Cuts `rows` rows, the first of which stands at `first` of its file, where places of the file
    are multiples of `size`: blocks stay whole where `size` is a multiple of theirs.
    """
    start = 0
    while start < rows:
        stop = min(rows, start + size - (first + start) % size)
        yield slice(start, stop)
        start = stop


def _placed(rows: NDArray[Any], at: NDArray[np.int64]) -> NDArray[Any]:
    """(BLOCK_ROWS, ...) with `rows` where they stand, else zeros; a whole block as it is."""
    if len(rows) == BLOCK_ROWS:
        return rows
    block = np.zeros((BLOCK_ROWS, *rows.shape[1:]), dtype=rows.dtype)
    block[at] = rows
    return block
