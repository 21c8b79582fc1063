"""Extended reduced graph: fuzzy distances between pharmacophoric points."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from app.core.plugin import PluginParams
from app.featurizers.base import Featurizer, featurizers

if TYPE_CHECKING:
    from rdkit.Chem import Mol

#: pairs of six point types, at each distance
_PAIRS = 21


@featurizers.register
class Erg(Featurizer):
    """A short dense vector (315 numbers at the default) that hops scaffolds."""

    name = "erg"
    aliases = ("ErG",)
    summary = "Extended reduced graph (pharmacophore pairs by distance)"
    reference = "Stiefl et al. 2006, J. Chem. Inf. Model. 46, 208; RDKit GetErGFingerprint"
    output = "floats"

    class Params(PluginParams):
        fuzz_increment: float = Field(default=0.3, ge=0, le=1)
        #: bonds
        min_path: int = Field(default=1, ge=1, le=20)
        max_path: int = Field(default=15, ge=2, le=50)

    def columns(self) -> list[str]:
        distances = self.params.max_path - self.params.min_path + 1
        return [f"erg_{column}" for column in range(_PAIRS * distances)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.float32]:
        from rdkit.Chem import rdReducedGraphs

        vector = rdReducedGraphs.GetErGFingerprint(
            mol,
            fuzzIncrement=self.params.fuzz_increment,
            minPath=self.params.min_path,
            maxPath=self.params.max_path,
        )
        return np.asarray(vector, dtype=np.float32)
