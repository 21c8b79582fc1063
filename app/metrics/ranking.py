"""Rows in the order of a score, equal scores together, each row taken a number of times."""

from collections.abc import Callable
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


def mean_over_classes(
    of_one: Callable[[NDArray[np.bool_], Values, Values], Values],
    y_true: Values,
    probabilities: Values,
    counts: Values,
) -> Values:
    """(b,): `of_one`(whether a row is positive, score, counts) of the positive class; of more than
    two classes the mean over each against the rest, where it is defined.
    """
    classes = probabilities.shape[1]
    if classes == 2:  # noqa: PLR2004 - two classes
        return of_one(y_true == 1, probabilities[:, 1], counts)
    each = np.array([of_one(y_true == c, probabilities[:, c], counts) for c in range(classes)])
    defined = np.isfinite(each)
    return ratio(np.where(defined, each, 0.0).sum(axis=0), defined.sum(axis=0).astype(float))


def ratio(part: Values, whole: Values) -> Values:
    """NaN where `whole` is 0."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole != 0)
