"""The nearest rows of a table, by its scaled columns."""

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from app.algorithms.scaling import Scaling
from app.uncertainty.nearest import Nearest, array_bytes, best


class EuclideanIndex:
    """Similarity is 1 / (1 + d), d the root mean square difference over the scaled columns."""

    def __init__(self, X: NDArray[Any], scaling: Scaling | None = None) -> None:
        """X (n, width) of the references, as the model takes them."""
        self.scaling = Scaling.fit(X) if scaling is None else scaling
        self._references = self.scaling.transform(X)

    @classmethod
    def load(cls, path: Path, X: NDArray[Any]) -> Self:
        return cls(X, Scaling.load(path))

    def nearest(self, X: NDArray[Any], k: int) -> Nearest:
        queries = self.scaling.transform(X)
        found = [best(self._similarity(query), k) for query in queries]
        return Nearest.stacked(found, min(k, len(self._references)))

    @property
    def memory_bytes(self) -> int:
        return array_bytes(self)

    def _similarity(self, query: NDArray[np.float32]) -> NDArray[np.float64]:
        squares = (self._references - query) ** 2
        distance = np.sqrt(squares.mean(axis=1, dtype=np.float64)) if squares.size else 0.0
        return np.asarray(1 / (1 + distance), dtype=np.float64)
