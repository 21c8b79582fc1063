"""Topological torsion fingerprint, counts."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Featurizer, featurizers
from app.featurizers.topological_torsion_generator import TorsionParams, torsion_generator

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class TopologicalTorsionCounts(Featurizer):
    """How often each kind of chain of four bonded atoms occurs."""

    name = "topological_torsion_counts"
    aliases = ("TTC",)
    summary = "Chains of four bonded atoms, counted"
    reference = (
        "Nilakantan et al. 1987, J. Chem. Inf. Comput. Sci. 27, 82; "
        "RDKit GetTopologicalTorsionGenerator"
    )
    output = "counts"

    class Params(TorsionParams):
        """Columns, atoms of a chain, chirality."""

    def columns(self) -> list[str]:
        return [f"torsion_count_{column}" for column in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.float32]:
        return np.asarray(self._generator.GetCountFingerprintAsNumPy(mol), dtype=np.float32)

    @cached_property
    def _generator(self) -> Any:
        return torsion_generator(self.params, count_simulation=False)
