"""Avalon fingerprint, counts."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.core.plugin import PluginParams
from app.featurizers.base import Featurizer, featurizers
from app.featurizers.bit_vectors import counts_to_numpy

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class AvalonCounts(Featurizer):
    """How often each hashed path, ring or pair occurs."""

    name = "avalon_counts"
    summary = "Avalon toolkit fingerprint, counted"
    reference = "Gedeck et al. 2006, J. Chem. Inf. Model. 46, 1924; RDKit pyAvalonTools"
    output = "counts"

    class Params(PluginParams):
        fp_size: int = Field(default=1024, ge=64, le=16384)

    def columns(self) -> list[str]:
        return [f"avalon_count_{column}" for column in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.float32]:
        from rdkit.Avalon import pyAvalonTools

        size: int = self.params.fp_size
        return counts_to_numpy(pyAvalonTools.GetAvalonCountFP(mol, nBits=size), size)
