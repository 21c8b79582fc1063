"""The nearest training rows of queries, whatever nearness means."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

#: below any similarity
_TAKEN = -1.0


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
    """Places and values of the k largest of (n,), largest first; of equals the first. `similarity`
    is overwritten: to look for the largest a few times is quicker than to sort.
    """
    k = min(k, len(similarity))
    places, values = np.empty(k, dtype=np.int64), np.empty(k)
    for rank in range(k):
        place = similarity.argmax()
        places[rank], values[rank] = place, similarity[place]
        similarity[place] = _TAKEN
    return places, values


def best_of_each(similarity: NDArray[np.floating[Any]], k: int) -> NDArray[np.int64]:
    """(q, k) places that `best` finds in each row of (q, n), k at most n; as there."""
    rows = np.arange(len(similarity))
    places = np.empty((len(similarity), k), dtype=np.int64)
    for rank in range(k):
        places[:, rank] = similarity.argmax(axis=1)
        similarity[rows, places[:, rank]] = _TAKEN
    return places
