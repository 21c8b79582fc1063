"""Avalon fingerprint, bits."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.core.plugin import PluginParams
from app.featurizers.base import Featurizer, featurizers
from app.featurizers.bit_vectors import to_numpy

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class AvalonBits(Featurizer):
    """Paths, rings, atom pairs and feature classes, hashed."""

    name = "avalon_bits"
    aliases = ("AVALON", "avalon")
    summary = "Avalon toolkit fingerprint, present or absent"
    reference = "Gedeck et al. 2006, J. Chem. Inf. Model. 46, 1924; RDKit pyAvalonTools"
    output = "bits"

    class Params(PluginParams):
        fp_size: int = Field(default=1024, ge=64, le=16384)

    def columns(self) -> list[str]:
        return [f"avalon_{bit}" for bit in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.uint8]:
        from rdkit.Avalon import pyAvalonTools

        return to_numpy(pyAvalonTools.GetAvalonFP(mol, nBits=self.params.fp_size))
