"""How alike rows are: by the Tanimoto similarity of counts, or by distance of scaled columns."""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from app.algorithms.scaling import Scaling
from app.algorithms.tanimoto import Counts, mostly_counts, tanimoto
from app.core.errors import InvalidInput

Metric = Literal["tanimoto", "euclidean", "manhattan", "cosine"]


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """The training rows, to which others are compared."""

    metric: Metric
    #: tanimoto
    counts: Counts | None = None
    #: the other metrics: how columns are scaled, and the training rows scaled, (n, kept) float32
    scaling: Scaling | None = None
    rows: NDArray[np.float32] | None = None

    @classmethod
    def fit(cls, X: NDArray[Any], metric: Metric | Literal["auto"]) -> Self:
        """auto: tanimoto where at least half of the columns in use are counts, else euclidean.

        Raises InvalidInput for tanimoto without a column of counts.
        """
        if metric == "auto":
            metric = "tanimoto" if mostly_counts(X) else "euclidean"
        if metric != "tanimoto":
            scaling = Scaling.fit(X)
            return cls(metric=metric, scaling=scaling, rows=scaling.transform(X))
        counts = Counts.fit(X)
        if not counts.kept.any():
            raise InvalidInput(
                "the features hold no counts or bits, which Tanimoto similarity compares",
                remedy="Add a fingerprint, e.g. morgan_counts, or choose another metric.",
            )
        return cls(metric=metric, counts=counts)

    def distances(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """(len(X), n); of Tanimoto, 1 - similarity."""
        if self.counts is not None:
            return 1.0 - self.counts.similarity(X)
        if self.scaling is None or self.rows is None:
            raise ValueError("neither counts nor scaled rows")
        return _distances(self.scaling.transform(X), self.rows, self.metric)

    def own_distances(self) -> NDArray[np.float64]:
        """(n, n) between the training rows."""
        if self.counts is not None:
            return 1.0 - tanimoto(self.counts.rows, self.counts.rows)
        if self.rows is None:
            raise ValueError("neither counts nor scaled rows")
        return _distances(self.rows, self.rows, self.metric)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `of` makes the same from."""
        if self.counts is not None:
            return self.counts.arrays()
        if self.scaling is None or self.rows is None:
            raise ValueError("neither counts nor scaled rows")
        return {"scaled_rows": self.rows, **self.scaling.arrays()}

    @classmethod
    def of(cls, metric: Metric, arrays: dict[str, NDArray[Any]]) -> Self:
        if metric == "tanimoto":
            return cls(metric=metric, counts=Counts.of(arrays))
        return cls(metric=metric, scaling=Scaling.of(arrays), rows=arrays["scaled_rows"])


def _distances(
    left: NDArray[np.float32], right: NDArray[np.float32], metric: str
) -> NDArray[np.float64]:
    """In double precision: of equal rows, float32 does not give 0."""
    from sklearn.metrics import pairwise_distances

    found = pairwise_distances(left.astype(np.float64), right.astype(np.float64), metric=metric)
    return np.asarray(found)
