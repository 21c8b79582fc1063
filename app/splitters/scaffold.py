"""Scaffold split: no Bemis-Murcko scaffold on two sides."""

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import InvalidInput
from app.splitters.base import FractionParams, Indices, Split, SplitInput, Splitter, splitters
from app.splitters.parts import (
    balanced,
    cut_by_size,
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
    molecules are one group. With `balanced` false the groups fill the parts by their size, the
    largest first (DeepChem, MoleculeNet): the test part then has the rarest scaffolds, mostly one
    molecule each, and the seed plays no part (but in folds, which are always balanced).
    """

    name = "scaffold"
    summary = "Whole scaffolds on one side (Bemis-Murcko, balanced)"
    reference = (
        "Bemis & Murcko 1996; Yang et al. 2019, J. Chem. Inf. Model. 59, 3370 (balanced); Wu et "
        "al. 2018, Chem. Sci. 9, 513 (by size)"
    )

    class Params(FractionParams):
        #: false: scaffolds by size, largest first, without a seed, as DeepChem and MoleculeNet do
        balanced: bool = True

    def split(self, rows: SplitInput, seed: int) -> Split:
        require_rows(rows)
        split = self._cut(rows, seed)
        if split is None:
            raise InvalidInput(
                "the molecules share too few scaffolds for a scaffold split",
                code="too_few_scaffolds",
                remedy="Use the random or stratified split.",
            )
        return split

    @property
    def key(self) -> dict[str, Any]:
        """Without `balanced` where it is true: the splits of releases that did not know it stay."""
        key = super().key
        if self.params.balanced:
            del key["params"]["balanced"]
        return key

    def _cut(self, rows: SplitInput, seed: int) -> Split | None:
        if self.params.balanced:
            return cut_groups(self._groups(rows), seed, rows.n, self.params)
        return cut_by_size(self._groups(rows), rows.n, self.params)

    def testable(self, rows: SplitInput) -> NDArray[np.bool_]:
        """By size: rows beyond the training part, of which there is one only."""
        if not self.params.balanced:
            split, mask = self._cut(rows, 0), np.ones(rows.n, dtype=np.bool_)
            if split is not None:
                mask[split.train] = False
            return mask
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
