"""Drawings of molecules as markup of a page."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.chem.drawing import draw


def drawn(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each entry with `svg`: our own markup of its `smiles` (app/chem/drawing.py), or None."""
    from markupsafe import Markup

    shown = []
    for entry in entries:
        svg = draw(entry["smiles"]) if entry["smiles"] else None
        # S704: RDKit writes it from a parsed structure; no text of the file gets through
        shown.append({**entry, "svg": Markup(svg) if svg else None})  # noqa: S704
    return shown
