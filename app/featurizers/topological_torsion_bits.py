"""Topological torsion fingerprint, bits."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Featurizer, featurizers
from app.featurizers.bit_vectors import to_numpy
from app.featurizers.topological_torsion_generator import TorsionParams, torsion_generator

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class TopologicalTorsionBits(Featurizer):
    """Four bonded atoms in a row: their elements, pi electrons and neighbours."""

    name = "topological_torsion_bits"
    aliases = ("topological_torsion", "torsion", "TT")
    summary = "Chains of four bonded atoms, present or absent"
    reference = (
        "Nilakantan et al. 1987, J. Chem. Inf. Comput. Sci. 27, 82; "
        "RDKit GetTopologicalTorsionGenerator"
    )
    output = "bits"

    class Params(TorsionParams):
        #: RDKit's way to keep counts in bits: of 4 columns, one each for 1, 2, 4 and 8 occurrences
        count_simulation: bool = True

    def columns(self) -> list[str]:
        return [f"torsion_{bit}" for bit in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.uint8]:
        return to_numpy(self._generator.GetFingerprint(mol))

    @cached_property
    def _generator(self) -> Any:
        simulated = self.params.count_simulation
        return torsion_generator(self.params, count_simulation=simulated)
