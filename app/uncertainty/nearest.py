"""The nearest training rows of queries, whatever nearness means."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """For q queries, k references each, the most similar first."""

    #: (q, k) int64 places among the references
    places: NDArray[np.int64]
    #: (q, k) 0 to 1; 1 is the same
    similarity: NDArray[np.float64]

    @classmethod
    def stacked(
        cls, found: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]], k: int
    ) -> Self:
        places = np.empty((len(found), k), dtype=np.int64)
        similarity = np.empty((len(found), k))
        for query, (rows, values) in enumerate(found):
            places[query], similarity[query] = rows, values
        return cls(places=places, similarity=similarity)

    def taken(self, rows: NDArray[np.int64]) -> Self:
        """Those of some queries, in that order."""
        return type(self)(places=self.places[rows], similarity=self.similarity[rows])

    @classmethod
    def joined(cls, parts: "Sequence[Nearest]") -> Self:
        """One after the other; at least one. Of each query as many as the part with the fewest."""
        k = min(part.places.shape[1] for part in parts)
        return cls(
            places=np.concatenate([part.places[:, :k] for part in parts]),
            similarity=np.concatenate([part.similarity[:, :k] for part in parts]),
        )

    @property
    def closest(self) -> NDArray[np.float64]:
        """(q,) similarity of the very nearest."""
        return self.similarity[:, 0]


class NeighbourIndex(Protocol):
    """References that can be asked for the nearest of them."""

    def nearest(self, queries: NDArray[Any], k: int) -> Nearest:
        """Queries (q, width) in the form that the references have."""

    @property
    def memory_bytes(self) -> int:
        """What its arrays take now: some are made when they are first needed."""


def array_bytes(holder: object) -> int:
    """Of the arrays that are its attributes."""
    return sum(one.nbytes for one in vars(holder).values() if isinstance(one, np.ndarray))


def best(similarity: NDArray[np.float64], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places and values of the k largest of (n,), largest first; of equals the first."""
    k = min(k, len(similarity))
    cut = np.partition(similarity, len(similarity) - k)[len(similarity) - k]
    candidates = np.flatnonzero(similarity >= cut)
    order = candidates[np.argsort(-similarity[candidates], kind="stable")][:k]
    return order, similarity[order]


def best_of_each(similarity: NDArray[np.floating[Any]], k: int) -> NDArray[np.int64]:
    """(q, k) places that `best` finds in each row of (q, n), k at most n."""
    q, n = similarity.shape
    cut = np.partition(similarity, n - k, axis=1)[:, n - k, None]
    rows, places = np.nonzero(similarity >= cut)
    # stable: of equals the first
    order = np.lexsort((-similarity[rows, places], rows))
    first = np.searchsorted(rows, np.arange(q))
    chosen = order[(first[:, None] + np.arange(k)).ravel()]
    found: NDArray[np.int64] = places[chosen].reshape(q, k)
    return found
