"""Atom pair fingerprint, counts."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.featurizers.atom_pair_generator import AtomPairParams, atom_pair_generator
from app.featurizers.base import Featurizer, featurizers

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class AtomPairCounts(Featurizer):
    """How often two kinds of atoms are so many bonds apart."""

    name = "atom_pair_counts"
    aliases = ("APC",)
    summary = "Pairs of atoms with their distance in bonds, counted"
    reference = "Carhart et al. 1985, J. Chem. Inf. Comput. Sci. 25, 64; RDKit GetAtomPairGenerator"
    output = "counts"

    class Params(AtomPairParams):
        """Distances, columns, chirality."""

    def columns(self) -> list[str]:
        return [f"atom_pair_count_{column}" for column in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.float32]:
        return np.asarray(self._generator.GetCountFingerprintAsNumPy(mol), dtype=np.float32)

    @cached_property
    def _generator(self) -> Any:
        return atom_pair_generator(self.params, count_simulation=False)
