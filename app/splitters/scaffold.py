"""Scaffold split: no Bemis-Murcko scaffold on two sides."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.splitters.base import FractionParams, Indices, Split, SplitInput, Splitter, splitters
from app.splitters.parts import (
    balanced,
    cut_groups,
    require_molecules,
    require_rows,
    testable,
)


@splitters.register
class ScaffoldSplitter(Splitter):
    """Asks for new chemotypes, as a project does.

    Groups that are larger than half of the test part go to train; the others, in an order drawn by
    the seed, fill train, then validation, then test (chemprop's balanced variant). Acyclic
    molecules are one group.
    """

    name = "scaffold"
    summary = "Whole scaffolds on one side (Bemis-Murcko, balanced)"
    reference = "Bemis & Murcko 1996; Yang et al. 2019, J. Chem. Inf. Model. 59, 3370 (balanced)"

    class Params(FractionParams):
        pass

    def split(self, rows: SplitInput, seed: int) -> Split:
        require_rows(rows)
        split = cut_groups(self._groups(rows), seed, rows.n, self.params)
        if split is None:
            raise InvalidInput(
                "the molecules share too few scaffolds for a scaffold split",
                code="too_few_scaffolds",
                remedy="Use the random or stratified split.",
            )
        return split

    def testable(self, rows: SplitInput) -> NDArray[np.bool_]:
        return testable(self._groups(rows), rows.n, self.params)

    def fold_parts(self, rows: SplitInput, seed: int, n: int) -> list[Indices]:
        return balanced(self._groups(rows), seed, n)

    def _groups(self, rows: SplitInput) -> list[list[int]]:
        """Rows of each scaffold, in the order of the scaffolds' SMILES."""
        from app.chem.scaffold import murcko_scaffold

        require_molecules(rows, "scaffolds")
        groups: dict[str, list[int]] = defaultdict(list)
        for row, smiles in enumerate(rows.smiles):
            groups[murcko_scaffold(smiles)].append(row)
        return [groups[scaffold] for scaffold in sorted(groups)]
