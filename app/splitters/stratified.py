"""Stratified split: the same mix of classes (or of value ranges) in every part."""

import numpy as np
from pydantic import Field

from app.splitters.base import FractionParams, Indices, Split, SplitInput, Splitter, splitters
from app.splitters.parts import cut, require_rows


@splitters.register
class StratifiedSplitter(Splitter):
    """Strata are the classes of the first target, or `bins` quantile ranges of its numbers; rows
    without that target are a stratum of their own. Each stratum is cut by the fractions, rare
    ones by chance, so that the sizes of the parts stay right.
    """

    name = "stratified"
    summary = "Equal mix of classes or value ranges in every part"
    reference = "scikit-learn StratifiedShuffleSplit; quantile bins for regression"
    drawn_singly = True

    class Params(FractionParams):
        #: quantile ranges when the target has more distinct values than that
        bins: int = Field(default=10, ge=2, le=100)

    def split(self, rows: SplitInput, seed: int) -> Split:
        require_rows(rows)
        return cut(self._order(rows, seed), self.params)

    def fold_parts(self, rows: SplitInput, seed: int, n: int) -> list[Indices]:
        return np.array_split(self._order(rows, seed), n)

    def _order(self, rows: SplitInput, seed: int) -> Indices:
        """Every stretch of it holds the strata in proportion."""
        rng = np.random.default_rng(seed)
        strata = self._strata(rows.y[:, 0])
        n = len(strata)
        # each row gets a place in [0, 1) spread evenly within its stratum: cutting the places
        # cuts every stratum in proportion
        places = np.empty(n)
        for stratum in np.unique(strata):
            members = rng.permutation(np.flatnonzero(strata == stratum))
            places[members] = (np.arange(len(members)) + rng.random()) / len(members)
        order: Indices = np.lexsort((rng.permutation(n), places)).astype(np.int64)
        return order

    def _strata(self, y: np.ndarray) -> np.ndarray:
        labelled = np.isfinite(y)
        values = y[labelled]
        strata = np.full(len(y), -1, dtype=np.int64)
        if len(np.unique(values)) <= self.params.bins:
            strata[labelled] = np.unique(values, return_inverse=True)[1]
        else:
            edges = np.quantile(values, np.linspace(0, 1, self.params.bins + 1)[1:-1])
            strata[labelled] = np.searchsorted(edges, values, side="right")
        return strata
