"""MACCS structural keys: 166 questions about a molecule, answered yes or no."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Featurizer, featurizers
from app.featurizers.bit_vectors import to_numpy

if TYPE_CHECKING:
    from rdkit.Chem import Mol

_KEYS = 166


@featurizers.register
class Maccs(Featurizer):
    """Columns `maccs_1` to `maccs_166`; RDKit's bit 0, which is never set, is left out."""

    name = "maccs"
    aliases = ("MACCS",)
    summary = "The 166 public MACCS keys"
    reference = "Durant et al. 2002, J. Chem. Inf. Comput. Sci. 42, 1273; RDKit MACCSkeys"
    output = "bits"

    def columns(self) -> list[str]:
        return [f"maccs_{key}" for key in range(1, _KEYS + 1)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.uint8]:
        from rdkit.Chem import rdMolDescriptors

        return to_numpy(rdMolDescriptors.GetMACCSKeysFingerprint(mol))[1:]
