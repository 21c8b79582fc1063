"""RDKit's atom pair generator and its parameters; shared by the bit and the count fingerprint."""

from typing import Any, Self

from pydantic import Field, model_validator

from app.core.plugin import PluginParams


class AtomPairParams(PluginParams):
    #: columns
    fp_size: int = Field(default=2048, ge=64, le=16384)
    #: bonds between the two atoms
    min_distance: int = Field(default=1, ge=1, le=30)
    max_distance: int = Field(default=30, ge=1, le=30)
    use_chirality: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_distance > self.max_distance:
            raise ValueError("min_distance is above max_distance")
        return self


def atom_pair_generator(params: AtomPairParams, *, count_simulation: bool) -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetAtomPairGenerator(
        minDistance=params.min_distance,
        maxDistance=params.max_distance,
        includeChirality=params.use_chirality,
        countSimulation=count_simulation,
        fpSize=params.fp_size,
    )
