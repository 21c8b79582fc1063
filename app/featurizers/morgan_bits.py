"""Morgan (circular, ECFP-like) fingerprint, one bit per hashed environment."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.core.plugin import PluginParams
from app.featurizers.base import Featurizer, featurizers
from app.featurizers.bit_vectors import to_numpy

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class MorganBits(Featurizer):
    """Example: `{"name": "morgan_bits", "params": {"radius": 3, "fp_size": 1024}}`."""

    name = "morgan_bits"
    aliases = ("ecfp", "morgan")
    summary = "Circular environments up to a radius, present or absent (ECFP)"
    reference = "Rogers & Hahn 2010, J. Chem. Inf. Model. 50, 742; RDKit GetMorganGenerator"
    output = "bits"

    class Params(PluginParams):
        #: bonds around each atom; 2 is ECFP4
        radius: int = Field(default=2, ge=0, le=6)
        #: bits
        fp_size: int = Field(default=2048, ge=64, le=16384)
        use_chirality: bool = False
        #: pharmacophoric atom types instead of elements (FCFP)
        use_features: bool = False

    def columns(self) -> list[str]:
        return [f"morgan_{bit}" for bit in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.uint8]:
        return to_numpy(self._generator.GetFingerprint(mol))

    @cached_property
    def _generator(self) -> Any:
        from app.featurizers.morgan_generator import morgan_generator

        return morgan_generator(self.params)
