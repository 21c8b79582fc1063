"""Molecules as pictures, where RDKit is installed."""

from functools import cache, lru_cache
from importlib.util import find_spec


@cache
def available() -> bool:
    return find_spec("rdkit") is not None


@lru_cache(maxsize=1000)
def svg(smiles: str | None, width: int = 140, height: int = 90) -> str:
    """An inline SVG; empty where there is no molecule to draw."""
    if not smiles or not available():
        return ""
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    mol: object | None = Chem.MolFromSmiles(smiles)
    if mol is None:
        return ""
    canvas = rdMolDraw2D.MolDraw2DSVG(width, height)
    rdMolDraw2D.PrepareAndDrawMolecule(canvas, mol)
    canvas.FinishDrawing()
    text = str(canvas.GetDrawingText())
    return text[text.index("<svg") :]
