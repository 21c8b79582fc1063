"""Random split."""

import numpy as np

from app.splitters.base import FractionParams, Indices, Split, SplitInput, Splitter, splitters
from app.splitters.parts import cut, require_rows, shuffled


@splitters.register
class RandomSplitter(Splitter):
    """Every row has the same chance; flatters models on series of close analogues."""

    name = "random"
    summary = "Rows at random"
    reference = "scikit-learn ShuffleSplit; MoleculeNet's 8:1:1"
    drawn_singly = True

    class Params(FractionParams):
        pass

    def split(self, rows: SplitInput, seed: int) -> Split:
        require_rows(rows)
        order = np.random.default_rng(seed).permutation(rows.n).astype(np.int64)
        return cut(order, self.params)

    def fold_parts(self, rows: SplitInput, seed: int, n: int) -> list[Indices]:
        return shuffled(rows.n, seed, n)
