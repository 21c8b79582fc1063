"""RDKit's path generator and its parameters; shared by the bit and the count fingerprint."""

from typing import Any, Self

from pydantic import Field, model_validator

from app.core.plugin import PluginParams


class PathParams(PluginParams):
    #: columns
    fp_size: int = Field(default=2048, ge=64, le=16384)
    #: bonds of a path
    min_path: int = Field(default=1, ge=1, le=10)
    max_path: int = Field(default=7, ge=1, le=10)
    #: branched subgraphs too, not only chains
    branched_paths: bool = True
    use_bond_order: bool = True
    #: columns that one path sets
    bits_per_feature: int = Field(default=2, ge=1, le=8)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_path > self.max_path:
            raise ValueError("min_path is above max_path")
        return self


def path_generator(params: PathParams) -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetRDKitFPGenerator(
        minPath=params.min_path,
        maxPath=params.max_path,
        branchedPaths=params.branched_paths,
        useBondOrder=params.use_bond_order,
        fpSize=params.fp_size,
        numBitsPerFeature=params.bits_per_feature,
    )
