"""Pattern fingerprint: a few generic substructures wherever they occur, for substructure search."""

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
class Pattern(Featurizer):
    """Quick; a screen for substructures first, and a description of molecules second."""

    name = "pattern"
    aliases = ("pattern_bits",)
    summary = "Matches of RDKit's generic patterns, present or absent"
    reference = "RDKit PatternFingerprint"
    output = "bits"

    class Params(PluginParams):
        #: columns
        fp_size: int = Field(default=2048, ge=64, le=16384)
        #: tautomers of one molecule are alike
        tautomers: bool = False

    def columns(self) -> list[str]:
        return [f"pattern_{bit}" for bit in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.uint8]:
        from rdkit import Chem

        size, tautomers = self.params.fp_size, self.params.tautomers
        return to_numpy(Chem.PatternFingerprint(mol, fpSize=size, tautomerFingerprints=tautomers))
