"""Bemis-Murcko scaffolds (Bemis & Murcko 1996, J. Med. Chem. 39, 2887)."""

from typing import TYPE_CHECKING, Any

from app.chem.standardize import parse_standardized

if TYPE_CHECKING:
    from rdkit.Chem import Mol


def murcko_scaffold(smiles: str) -> str:
    """SMILES of the ring systems and linkers, without stereo; "" for acyclic molecules."""
    return scaffold_of(parse_standardized(smiles))


def scaffold_of(mol: "Mol") -> str:
    """As `murcko_scaffold`, of a sanitized molecule."""
    from rdkit import Chem
    from rdkit.Chem.Scaffolds import MurckoScaffold

    get_scaffold: Any = MurckoScaffold.GetScaffoldForMol  # RDKit does not annotate it
    return Chem.MolToSmiles(get_scaffold(mol), isomericSmiles=False)
