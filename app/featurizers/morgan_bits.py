"""Morgan (circular, ECFP-like) fingerprint, one bit per hashed environment."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Featurizer, featurizers
from app.featurizers.bit_vectors import to_numpy
from app.featurizers.morgan_generator import MorganParams, morgan_generator

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class MorganBits(Featurizer):
    """Example: `{"name": "morgan_bits", "params": {"radius": 3, "fp_size": 1024}}`."""

    name = "morgan_bits"
    aliases = ("ecfp", "ECFP4", "morgan")
    summary = "Circular environments up to a radius, present or absent (ECFP)"
    reference = "Rogers & Hahn 2010, J. Chem. Inf. Model. 50, 742; RDKit GetMorganGenerator"
    output = "bits"

    class Params(MorganParams):
        """Radius, columns, chirality, features."""

    def columns(self) -> list[str]:
        return [f"morgan_{bit}" for bit in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.uint8]:
        return to_numpy(self._generator.GetFingerprint(mol))

    @cached_property
    def _generator(self) -> Any:
        return morgan_generator(self.params, use_features=self.params.use_features)
