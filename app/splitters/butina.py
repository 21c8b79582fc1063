"""Cluster split: no Taylor-Butina cluster of similar molecules on two sides."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.core.errors import InvalidInput
from app.splitters.base import FractionParams, Indices, Split, SplitInput, Splitter, splitters
from app.splitters.parts import (
    balanced,
    cut_groups,
    require_molecules,
    require_rows,
    testable,
)

#: similarities grow with the square: 10,000 molecules take 4 CPU seconds, these 7 minutes
MAX_MOLECULES = 100_000


@splitters.register
class ButinaSplitter(Splitter):
    """Harder than scaffolds where ring systems differ by an atom, and it knows acyclic molecules.

    Molecules of one cluster are at most `cutoff` from its centre; two clusters may still touch.
    Clusters larger than half of the test part go to train; the others, in an order drawn by the
    seed, fill train, then validation, then test. At most 100,000 molecules.
    """

    name = "butina"
    aliases = ("cluster", "taylor_butina")
    summary = "Whole clusters of similar molecules on one side (Taylor-Butina)"
    reference = (
        "Butina 1999, J. Chem. Inf. Comput. Sci. 39, 747; RDKit Butina.ClusterData; the cutoff of "
        "DeepChem's ButinaSplitter"
    )

    class Params(FractionParams):
        #: Tanimoto distance (Morgan, radius 2, 2048 bits) up to which molecules are neighbours
        cutoff: float = Field(default=0.6, gt=0, lt=1)

    def split(self, rows: SplitInput, seed: int) -> Split:
        require_rows(rows)
        split = cut_groups(self._clusters(rows), seed, rows.n, self.params)
        if split is None:
            raise InvalidInput(
                "the molecules form too few clusters for a cluster split",
                code="too_few_groups",
                remedy="Lower `cutoff`, which makes more and smaller clusters, or use the random "
                "split.",
            )
        return split

    def testable(self, rows: SplitInput) -> NDArray[np.bool_]:
        return testable(self._clusters(rows), rows.n, self.params)

    def fold_parts(self, rows: SplitInput, seed: int, n: int) -> list[Indices]:
        return balanced(self._clusters(rows), seed, n)

    def _clusters(self, rows: SplitInput) -> list[list[int]]:
        from app.chem.clusters import butina_clusters
        from app.chem.similarity import Fingerprints

        require_molecules(rows, "clusters")
        if rows.n > MAX_MOLECULES:
            raise InvalidInput(
                f"{rows.n} molecules are too many to cluster (at most {MAX_MOLECULES})",
                code="too_many_to_cluster",
                remedy="Use the scaffold split, whose time grows with the rows only.",
            )
        return butina_clusters(Fingerprints.of(rows.smiles), self.params.cutoff)
