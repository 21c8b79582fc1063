"""Bemis-Murcko scaffolds (Bemis & Murcko 1996, J. Med. Chem. 39, 2887)."""

from app.chem.standardize import parse_standardized


def murcko_scaffold(smiles: str) -> str:
    """SMILES of the ring systems and linkers, without stereo; "" for acyclic molecules."""
    from rdkit.Chem.Scaffolds import MurckoScaffold

    scaffold: str = MurckoScaffold.MurckoScaffoldSmiles(
        mol=parse_standardized(smiles), includeChirality=False
    )
    return scaffold
