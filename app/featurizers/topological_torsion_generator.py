"""RDKit's topological torsion generator and its parameters; shared by the bits and the counts."""

from typing import Any

from pydantic import Field

from app.core.plugin import PluginParams


class TorsionParams(PluginParams):
    #: columns
    fp_size: int = Field(default=2048, ge=64, le=16384)
    #: atoms of a path
    torsion_atoms: int = Field(default=4, ge=2, le=7)
    use_chirality: bool = False


def torsion_generator(params: TorsionParams, *, count_simulation: bool) -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetTopologicalTorsionGenerator(
        includeChirality=params.use_chirality,
        torsionAtomCount=params.torsion_atoms,
        countSimulation=count_simulation,
        fpSize=params.fp_size,
    )
