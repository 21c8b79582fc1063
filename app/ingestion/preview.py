"""What we understand of a file, from its first rows, before anything is made of it."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from app.datasets.columns import BLANK, STRUCTURE, Column, kind_of
from app.datasets.params import ReadParams
from app.datasets.parts import ReadingOptions, first_look, notes_on, title_of
from app.datasets.personal import suspicions
from app.datasets.reading import SourceRow, Table
from app.resources import Resources

_EXAMPLES = 5
_MAX_EXAMPLE = 120
_MAX_COLUMNS = 2_000
_NAMED_ROWS = 3


def preview(resources: Resources, payload: dict[str, Any]) -> dict[str, Any]:
    """`payload`: {"key", "name"} of the file and `options` (ReadParams).

    Raises InvalidInput as ingest would, UnknownName for an override of a column that is not there
    (the nearest names as remedy).
    """
    options = ReadingOptions.of(ReadParams.model_validate(payload["options"]))
    with options.open(resources, payload["key"], payload["name"]) as table:
        sample, _, columns = first_look(table, options)
    unsaid = [name for name in table.columns if name not in options.personal]
    personal = suspicions(unsaid, sample)
    return {
        "format": table.format,
        "kind": kind_of(columns),
        "encoding": table.encoding,
        "separator": table.separator,
        "decimal": table.decimal,
        "columns": [_shown(column, sample) for column in columns[:_MAX_COLUMNS]],
        "notes": [*table.notes, *notes_on(columns), *_notes(table, sample, columns), *personal],
        "rows_sampled": len(sample),
    }


def _shown(column: Column, sample: Sequence[SourceRow]) -> dict[str, Any]:
    name = column["name"]
    cells = [(row.cells.get(name) or "").strip() for row in sample if row.reason is None]
    known = [cell for cell in cells if cell.lower() not in BLANK]
    distinct = dict.fromkeys(known)
    examples = list(islice(distinct, _EXAMPLES))
    return {
        "unit": None,
        **column,
        "missing": len(cells) - len(known),
        "distinct": len(distinct),
        "examples": [_example(name, text) for text in examples],
    }


def _example(name: str, text: str) -> str:
    if name == STRUCTURE:
        text = _smiles_of(text)
    return text if len(text) <= _MAX_EXAMPLE else f"{text[:_MAX_EXAMPLE]}…"


def _smiles_of(block: str) -> str:
    """A Mol block as a person can read it: its SMILES, else its title line."""
    from app.chem.standardize import ChemistryError, standardize_molblock

    try:
        return standardize_molblock(block).smiles
    except ChemistryError as error:
        return f"{title_of(block)} ({error})"


def _notes(table: Table, sample: Sequence[SourceRow], columns: Sequence[Column]) -> list[str]:
    notes = []
    refused = [row for row in sample if row.reason is not None]
    if refused:
        named = "; ".join(f"row {row.row}: {row.reason}" for row in refused[:_NAMED_ROWS])
        notes.append(f"{len(refused)} of the first {len(sample)} rows cannot be read ({named})")
    if len(columns) > _MAX_COLUMNS:
        notes.append(f"the first {_MAX_COLUMNS} of {len(table.columns)} columns are shown")
    return notes
