"""Bemis-Murcko scaffolds (Bemis & Murcko 1996, J. Med. Chem. 39, 2887)."""

from typing import Any

from app.chem.standardize import parse_standardized


def murcko_scaffold(smiles: str) -> str:
    """SMILES of the ring systems and linkers, without stereo; "" for acyclic molecules."""
    from rdkit import Chem
    from rdkit.Chem.Scaffolds import MurckoScaffold

    get_scaffold: Any = MurckoScaffold.GetScaffoldForMol  # RDKit does not annotate it
    scaffold = get_scaffold(parse_standardized(smiles))
    return Chem.MolToSmiles(scaffold, isomericSmiles=False)
