"""Morgan generator of RDKit and its parameters, shared by bits and counts."""

from typing import Any

from pydantic import Field

from app.core.plugin import PluginParams


class CircularParams(PluginParams):
    #: bonds around each atom; 2 is ECFP4, ECFC4, FCFP4 or FCFC4
    radius: int = Field(default=2, ge=0, le=6)
    #: columns
    fp_size: int = Field(default=2048, ge=64, le=16384)
    use_chirality: bool = False


class MorganParams(CircularParams):
    #: pharmacophoric atom types instead of elements (FCFP, FCFC)
    use_features: bool = False


def morgan_generator(params: CircularParams, *, use_features: bool) -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    invariants = rdFingerprintGenerator.GetMorganFeatureAtomInvGen() if use_features else None
    return rdFingerprintGenerator.GetMorganGenerator(
        radius=params.radius,
        fpSize=params.fp_size,
        includeChirality=params.use_chirality,
        atomInvariantsGenerator=invariants,
    )
