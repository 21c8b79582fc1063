"""Rows in the order of a score, equal scores together, each row taken a number of times."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.metrics.base import Values


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Blocks of equal scores, the lowest first (`Ranking.of`) or the highest (`.descending`)."""

    #: row numbers, (n,)
    order: NDArray[np.int64]
    #: where in `order` each block begins, (g,)
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, score: Values) -> "Ranking":
        order = np.argsort(score, kind="stable").astype(np.int64, copy=False)
        begins = np.ones(len(score), dtype=bool)
        begins[1:] = np.diff(score[order]) != 0
        return cls(order=order, starts=np.flatnonzero(begins))

    @classmethod
    def descending(cls, score: Values) -> "Ranking":
        return cls.of(-score)

    def blocks(self, counts: Values) -> Values:
        """(b, g): rows in each block; counts (b, n) says how often each row is taken."""
        ordered = counts[:, self.order]
        if len(self.starts) == len(self.order):
            return ordered
        sums: Values = np.add.reduceat(ordered, self.starts, axis=1)
        return sums

    def ranks(self, counts: Values) -> Values:
        """(b, n): the mean rank of each row's block among all rows taken, from 1."""
        inside = self.blocks(counts)
        middle = np.cumsum(inside, axis=1) - (inside - 1) / 2
        ranks = np.empty_like(counts)
        sizes = np.diff(np.append(self.starts, len(self.order)))
        ranks[:, self.order] = np.repeat(middle, sizes, axis=1)
        return ranks


def ratio(part: Values, whole: Values) -> Values:
    """NaN where `whole` is 0."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole != 0)
