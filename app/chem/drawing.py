"""Molecules as SVG, by RDKit: no text of a file, only what RDKit makes of the structure."""

import re
from typing import Any

from app.chem.standardize import ChemistryError, parse_standardized

#: more atoms make a drawing that shows nothing and costs seconds
_MAX_ATOMS = 150
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_CLASSES = re.compile(r" class='[^']*'")
#: what SVG means anyway
_DEFAULTS = re.compile(
    r"fill-rule:evenodd;|;stroke-linecap:butt|;stroke-linejoin:miter|;stroke-opacity:1"
    r"|\s*(?:baseProfile|xmlns:rdkit|xmlns:xlink|xml:space|version)='[^']*'"
)
_COMMENTS = re.compile(r"<!--.*?-->|<rect[^>]*> ?</rect>\n?", re.DOTALL)


def draw(smiles: str, *, width: int = 200, height: int = 150) -> str | None:
    """An <svg> element without background, for a page; None when there is no good drawing.

    `smiles`: standardized, or a scaffold of such a molecule.
    """
    from rdkit.Chem.Draw import rdMolDraw2D

    try:
        mol = parse_standardized(smiles)
        if not 0 < mol.GetNumAtoms() <= _MAX_ATOMS:
            return None
        drawer = rdMolDraw2D.MolDraw2DSVG(width, height)
        options: Any = drawer.drawOptions()
        options.clearBackground = False
        options.padding = 0.06
        options.fixedBondLength = 22
        options.bondLineWidth = 1.3
        rdMolDraw2D.PrepareAndDrawMolecule(drawer, mol)
        drawer.FinishDrawing()
    except (ChemistryError, ValueError, RuntimeError):
        return None
    return tidy(drawer.GetDrawingText())


def tidy(drawing: str) -> str:
    """RDKit's SVG document as an element of a page: no prologue, no names, no defaults."""
    text = _PROLOGUE.sub("", drawing, count=1)
    for what in (_CLASSES, _COMMENTS, _DEFAULTS):
        text = what.sub("", text)
    return text.strip()
