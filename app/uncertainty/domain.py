"""Which inputs a model knows enough about: the applicability domain."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from app.algorithms.scaling import Scaling

_COMPONENTS = 10
_MAX_ROWS = 5_000
#: Williams plot: three times the mean leverage (Gramatica 2007, QSAR Comb. Sci. 26, 694)
_TIMES_MEAN = 3.0
#: standard deviations; what is nearer to the plane counts as this far from it
_NEAR = 0.1
#: share of left-out rows that are called inside, by similarity
_INSIDE = 0.95


@dataclass(frozen=True, kw_only=True)
class Leverage:
    """Distance from the centre of the training rows along their ten widest directions:
    h = 1/n + sum of t^2 / (n * variance), with principal components of the scaled features.
    """

    scaling: Scaling
    #: (kept columns, components)
    directions: NDArray[np.float32]
    #: (components,)
    variance: NDArray[np.float32]
    rows: int

    @classmethod
    def fit(cls, X: NDArray[Any]) -> Self:
        """X (n, width) of training rows; at most 5,000 of them, evenly chosen, set the axes."""
        from sklearn.decomposition import PCA

        X = X[:: -(-len(X) // _MAX_ROWS)]
        scaling = Scaling.fit(X)
        values = scaling.transform(X)
        k = min(_COMPONENTS, values.shape[1], len(values) - 1)
        pca = PCA(n_components=k, svd_solver="randomized", random_state=0).fit(values)
        good = pca.explained_variance_ > 1e-9  # noqa: PLR2004 - nothing varies along the others
        return cls(
            scaling=scaling,
            directions=np.ascontiguousarray(pca.components_[good].T, dtype=np.float32),
            variance=pca.explained_variance_[good].astype(np.float32),
            rows=len(values),
        )

    @property
    def threshold(self) -> float:
        return _TIMES_MEAN * (len(self.variance) + 1) / self.rows

    def of(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """(n,), 0 and more."""
        along = self.scaling.transform(X) @ self.directions
        summed = (along.astype(np.float64) ** 2 / self.variance).sum(axis=1)
        return np.asarray(1 / self.rows + summed / max(self.rows - 1, 1), dtype=np.float64)

    def beyond(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """(n,) how far off the plane of the directions, root mean square over the scaled columns;
        no less than 0.1. It grows with what a row has that the training rows had not together.

        The distance to the model (Jackson & Mudholkar 1979, Technometrics 21, 341; DModX of
        Eriksson et al. 2003, Environ. Health Perspect. 111, 1361).
        """
        values = self.scaling.transform(X)
        off = values - (values @ self.directions) @ self.directions.T
        distance = np.sqrt(np.einsum("ij,ij->i", off, off, dtype=np.float64) / off.shape[1])
        return np.asarray(np.maximum(distance, _NEAR), dtype=np.float64)

    def save(self, folder: Path) -> None:
        from safetensors.numpy import save_file

        self.scaling.save(folder / "scaling.safetensors")
        arrays = {
            "directions": self.directions,
            "variance": self.variance,
            "rows": np.array([self.rows]),
        }
        save_file(arrays, folder / "leverage.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        from safetensors.numpy import load_file

        arrays = load_file(folder / "leverage.safetensors")
        return cls(
            scaling=Scaling.load(folder / "scaling.safetensors"),
            directions=arrays["directions"],
            variance=arrays["variance"],
            rows=int(arrays["rows"][0]),
        )


def similarity_threshold(closest: NDArray[np.float64]) -> float:
    """What 95 % of the rows that were left out reach: (n,) similarities to their nearest
    training row.
    """
    return float(np.quantile(closest, 1 - _INSIDE)) if len(closest) else 0.0
