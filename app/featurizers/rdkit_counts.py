"""RDKit's own (Daylight-like) path fingerprint, counts."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Featurizer, featurizers
from app.featurizers.rdkit_path_generator import PathParams, path_generator

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class RdkitCounts(Featurizer):
    """How often each chain and branched subgraph of up to seven bonds occurs."""

    name = "rdkit_counts"
    aliases = ("RDKFPC",)
    summary = "Subgraphs up to seven bonds, counted"
    reference = "RDKit GetRDKitFPGenerator, after the Daylight fingerprint"
    output = "counts"

    class Params(PathParams):
        """Lengths, branches, bond orders, columns."""

    def columns(self) -> list[str]:
        return [f"rdkit_count_{column}" for column in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.float32]:
        return np.asarray(self._generator.GetCountFingerprintAsNumPy(mol), dtype=np.float32)

    @cached_property
    def _generator(self) -> Any:
        return path_generator(self.params)
