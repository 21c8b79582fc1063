"""RDKit's Morgan generator from our parameters; shared by the bit and the count fingerprint."""

from typing import Any


def morgan_generator(params: Any) -> Any:
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
