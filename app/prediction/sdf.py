"""Predictions as SDF: one record for each row, the answer's columns as its properties.

The Mol block is the one of the input where that was SDF, coordinates and all; else the standardized
structure with RDKit's 2D coordinates. A row without a structure has a Mol block without atoms.
"""

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

_END = "M  END"
_EMPTY = "\n     RDKit          2D\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END"
#: what would end a property or a record, or cannot stand in a name
_BREAKS = re.compile(r"[\r\n]+")
_NOT_IN_NAMES = re.compile(r"[<>\r\n]+")


def sdf_text(table: pa.Table, blocks: Sequence[str]) -> str:
    """`table`: rows of an answer; `blocks`: of each the Mol block that it came as, or nothing."""
    names = [(name, _NOT_IN_NAMES.sub(" ", name)) for name in table.column_names]
    parts: list[str] = []
    for number, row in enumerate(table.to_pylist()):
        given = blocks[number] if blocks else ""
        parts.append(_titled(_mol_block(given, row.get("canonical_smiles")), row))
        for name, shown in names:
            if row[name] is not None:
                parts.append(f">  <{shown}>\n{_value(row[name])}\n\n")
        parts.append("$$$$\n")
    return "".join(parts)


def _mol_block(given: str, canonical: str | None) -> str:
    if _END in given and "$$$$" not in given:
        return given[: given.index(_END) + len(_END)].replace("\r\n", "\n")
    return _EMPTY if canonical is None else _drawn(canonical)


def _drawn(canonical: str) -> str:
    from rdkit import Chem
    from rdkit.Chem.rdDepictor import Compute2DCoords

    mol: Any = Chem.MolFromSmiles(canonical)
    if mol is None:  # standardized structures can be read
        return _EMPTY
    Compute2DCoords(mol)
    block: str = Chem.MolToMolBlock(mol)
    return block.rstrip("\n")


def _titled(block: str, row: dict[str, Any]) -> str:
    """A block without a title gets the row's identifier."""
    title, _, rest = block.partition("\n")
    if not title.strip() and row["id"]:
        title = _BREAKS.sub(" ", row["id"])[:80]
        title = "" if title.startswith("$$$$") else title
    return f"{title}\n{rest}\n"


def _value(value: Any) -> str:
    """On one line; no line of it may begin like the end of a record or another property."""
    text = _BREAKS.sub(" ", str(value))
    return f" {text}" if text.startswith((">", "$$$$")) else text
