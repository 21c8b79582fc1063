"""Feature-class Morgan fingerprint (FCFP), bits."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Featurizer, featurizers
from app.featurizers.bit_vectors import to_numpy
from app.featurizers.morgan_generator import CircularParams, morgan_generator

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class FcfpBits(Featurizer):
    """As `morgan_bits` with `use_features`: a chlorine and a bromine are alike, a donor and an
    acceptor are not.
    """

    name = "fcfp_bits"
    aliases = ("FCFP", "FCFP4")
    summary = "Circular environments of pharmacophoric atom types, present or absent (FCFP)"
    reference = (
        "Rogers & Hahn 2010, J. Chem. Inf. Model. 50, 742; RDKit GetMorganGenerator with "
        "GetMorganFeatureAtomInvGen"
    )
    output = "bits"

    class Params(CircularParams):
        """Radius, columns, chirality."""

    def columns(self) -> list[str]:
        return [f"fcfp_{column}" for column in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.uint8]:
        return to_numpy(self._generator.GetFingerprint(mol))

    @cached_property
    def _generator(self) -> Any:
        return morgan_generator(self.params, use_features=True)
