"""RDKit's Morgan generator and its parameters; shared by the bit and the count fingerprint."""

from typing import Any

from pydantic import Field

from app.core.plugin import PluginParams


class MorganParams(PluginParams):
    #: bonds around each atom; 2 is ECFP4 or ECFC4
    radius: int = Field(default=2, ge=0, le=6)
    #: columns
    fp_size: int = Field(default=2048, ge=64, le=16384)
    use_chirality: bool = False
    #: pharmacophoric atom types instead of elements (FCFP, FCFC)
    use_features: bool = False


def morgan_generator(params: MorganParams) -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    invariants = (
        rdFingerprintGenerator.GetMorganFeatureAtomInvGen() if params.use_features else None
    )
    return rdFingerprintGenerator.GetMorganGenerator(
        radius=params.radius,
        fpSize=params.fp_size,
        includeChirality=params.use_chirality,
        atomInvariantsGenerator=invariants,
    )
