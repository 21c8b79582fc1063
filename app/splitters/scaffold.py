"""Scaffold split: no Bemis-Murcko scaffold on two sides."""

from collections import defaultdict

import numpy as np

from app.core.errors import InvalidInput
from app.splitters.base import FractionParams, Indices, Split, SplitInput, Splitter, splitters
from app.splitters.parts import balanced, require_rows, sizes


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
        wanted = sizes(rows.n, self.params)
        parts: list[list[int]] = [[], [], []]
        for group in self._ordered_groups(rows, seed, wanted):
            for part, size in zip(parts, wanted, strict=True):
                if len(part) + len(group) <= size:
                    part.extend(group)
                    break
            else:
                parts[0].extend(group)
        if not parts[2] or not parts[0]:
            raise InvalidInput(
                "the molecules share too few scaffolds for a scaffold split",
                code="too_few_scaffolds",
                remedy="Use the random or stratified split.",
            )
        train, validation, test = (np.sort(np.asarray(part, dtype=np.int64)) for part in parts)
        return Split(train=train, validation=validation, test=test)

    def fold_parts(self, rows: SplitInput, seed: int, n: int) -> list[Indices]:
        return balanced(self._groups(rows), seed, n)

    def _ordered_groups(
        self, rows: SplitInput, seed: int, wanted: tuple[int, int, int]
    ) -> list[list[int]]:
        ordered = self._groups(rows)
        large = [g for g in ordered if len(g) > wanted[2] / 2]
        small = [g for g in ordered if len(g) <= wanted[2] / 2]
        shuffled = np.random.default_rng(seed).permutation(len(small))
        large.sort(key=len, reverse=True)
        return large + [small[i] for i in shuffled]

    def _groups(self, rows: SplitInput) -> list[list[int]]:
        """Rows of each scaffold, in the order of the scaffolds' SMILES."""
        from app.chem.scaffold import murcko_scaffold

        if not rows.smiles:
            raise InvalidInput(
                "a table without molecules has no scaffolds to split by",
                code="no_structures",
                remedy="Use the split random, stratified or column.",
            )
        groups: dict[str, list[int]] = defaultdict(list)
        for row, smiles in enumerate(rows.smiles):
            groups[murcko_scaffold(smiles)].append(row)
        return [groups[scaffold] for scaffold in sorted(groups)]
