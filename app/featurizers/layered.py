"""Layered fingerprint: paths described at six levels of detail, made for substructure search."""

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from app.core.plugin import PluginParams
from app.featurizers.base import Featurizer, featurizers
from app.featurizers.bit_vectors import to_numpy

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@featurizers.register
class Layered(Featurizer):
    """The same subgraphs as `rdkit_bits`, hashed once per layer: topology, bond orders, atom types,
    rings, ring sizes, aromaticity. RDKit calls it experimental.
    """

    name = "layered"
    aliases = ("layered_bits",)
    summary = "Subgraphs at six levels of detail, present or absent"
    reference = "RDKit LayeredFingerprint"
    output = "bits"

    class Params(PluginParams):
        #: columns
        fp_size: int = Field(default=2048, ge=64, le=16384)
        #: bonds of a path
        min_path: int = Field(default=1, ge=1, le=10)
        max_path: int = Field(default=7, ge=1, le=10)
        # no `branched_paths`: without branches RDKit 2026.9 reads beyond its memory and may crash

        @model_validator(mode="after")
        def _ordered(self) -> Self:
            if self.min_path > self.max_path:
                raise ValueError("min_path is above max_path")
            return self

    def columns(self) -> list[str]:
        return [f"layered_{bit}" for bit in range(self.params.fp_size)]

    def featurize_one(self, mol: "Mol") -> NDArray[np.uint8]:
        from rdkit import Chem

        vector = Chem.LayeredFingerprint(
            mol,
            fpSize=self.params.fp_size,
            minPath=self.params.min_path,
            maxPath=self.params.max_path,
        )
        return to_numpy(vector)
