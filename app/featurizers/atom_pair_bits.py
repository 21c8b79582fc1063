"""Atom pair fingerprint, bits."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.featurizers.atom_pair_generator import AtomPairParams, atom_pair_generator
from app.featurizers.base import Featurizer, featurizers
from app.featurizers.bit_vectors import to_numpy

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class AtomPairBits(Featurizer):
    """Two atoms, what they are and how many bonds apart: sees the whole molecule's shape, where
    Morgan sees neighbourhoods.
    """

    name = "atom_pair_bits"
    aliases = ("atom_pair", "AP")
    summary = "Pairs of atoms with their distance in bonds, present or absent"
    reference = "Carhart et al. 1985, J. Chem. Inf. Comput. Sci. 25, 64; RDKit GetAtomPairGenerator"
    output = "bits"

    class Params(AtomPairParams):
        #: RDKit's way to keep counts in bits: of 4 columns, one each for 1, 2, 4 and 8 occurrences
        count_simulation: bool = True

    def columns(self) -> list[str]:
        return [f"atom_pair_{bit}" for bit in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.uint8]:
        return to_numpy(self._generator.GetFingerprint(mol))

    @cached_property
    def _generator(self) -> Any:
        simulated = self.params.count_simulation
        return atom_pair_generator(self.params, count_simulation=simulated)
