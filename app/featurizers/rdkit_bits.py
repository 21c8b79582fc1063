"""RDKit's own (Daylight-like) path fingerprint, bits."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Featurizer, featurizers
from app.featurizers.bit_vectors import to_numpy
from app.featurizers.rdkit_path_generator import PathParams, path_generator

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class RdkitBits(Featurizer):
    """Every chain and branched subgraph of up to seven bonds, hashed to two bits each."""

    name = "rdkit_bits"
    aliases = ("rdkit_fingerprint", "RDKFP", "rdkit")
    summary = "Subgraphs up to seven bonds, present or absent"
    reference = "RDKit GetRDKitFPGenerator, after the Daylight fingerprint"
    output = "bits"

    class Params(PathParams):
        """Lengths, branches, bond orders, columns."""

    def columns(self) -> list[str]:
        return [f"rdkit_{bit}" for bit in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.uint8]:
        return to_numpy(self._generator.GetFingerprint(mol))

    @cached_property
    def _generator(self) -> Any:
        return path_generator(self.params)
