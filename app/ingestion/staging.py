"""What a chunk of an ingest leaves: standardized rows as Parquet, refused rows as JSON."""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from app.chem.scaffold import scaffold_of
from app.datasets.columns import STRUCTURE, Column, stored_name

#: columns of a staged part that do not reach clean.parquet: what the report is made from
SCAFFOLD = "__scaffold__"
HEAVY_ATOMS = "__heavy_atoms__"

#: characters of a refused row's value; of its cells together, or they are left out
_MAX_VALUE = 5_000
_MAX_CELLS = 4_000


@dataclass(frozen=True, kw_only=True)
class Refused:
    row: int
    value: str
    reason: str
    #: the row as the file has it, column by column; None when it is long
    cells: dict[str, str | None] | None = None


def refusal(row: dict[str, Any], shown: str, reason: str) -> Refused:
    """`row`: of a part, with `__row__` and the file's columns."""
    cells = {name: cell for name, cell in row.items() if name not in _NOT_CELLS}
    small = sum(len(cell or "") for cell in cells.values()) <= _MAX_CELLS
    return Refused(
        row=row["__row__"],
        value=shown[:_MAX_VALUE],
        reason=reason,
        cells=cells if small else None,
    )


_NOT_CELLS = frozenset({"__row__", "__reason__", STRUCTURE})


@dataclass(kw_only=True)
class Staged:
    """Rows of one chunk, column by column."""

    #: the rows have structures
    molecules: bool
    #: columns that are read by type: targets and features
    values: list[Column]
    #: columns that are kept as they are: identifier, split
    kept: list[Column]
    rows: list[int] = field(default_factory=list)
    smiles: list[str] = field(default_factory=list)
    input_smiles: list[str] = field(default_factory=list)
    cells: dict[str, list[Any]] = field(default_factory=dict)
    scaffolds: list[str | None] = field(default_factory=list)
    heavy_atoms: list[int] = field(default_factory=list)
    #: molecules that hold an element, by its symbol
    elements: dict[str, int] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    changes: dict[str, int] = field(default_factory=dict)
    bad_cells: dict[str, int] = field(default_factory=dict)

    def add(self, row: dict[str, Any], shown: str, structure: Any, values: dict[str, Any]) -> None:
        """`structure` is a Standardized; None in a table."""
        self.rows.append(row["__row__"])
        if self.molecules:
            self.smiles.append(structure.smiles)
            self.input_smiles.append(shown)
            self._add_shape(structure)
        for column in self.values:
            self.cells.setdefault(column["name"], []).append(values[column["name"]])
        for column in self.kept:
            self.cells.setdefault(column["name"], []).append(row[column["name"]])

    def _add_shape(self, structure: Any) -> None:
        for change in structure.changes:
            self.changes[change] = self.changes.get(change, 0) + 1
        for symbol in {atom.GetSymbol() for atom in structure.mol.GetAtoms()}:
            self.elements[symbol] = self.elements.get(symbol, 0) + 1
        try:
            self.scaffolds.append(scaffold_of(structure.mol))
        except (ValueError, RuntimeError):  # a fact for the report is worth no row
            self.scaffolds.append(None)
        self.heavy_atoms.append(structure.mol.GetNumHeavyAtoms())

    def table(self) -> pa.Table:
        arrays: dict[str, Any] = {"row": pa.array(self.rows, pa.int64())}
        if self.molecules:
            arrays["smiles"] = pa.array(self.smiles, pa.string())
            arrays["input_smiles"] = pa.array(self.input_smiles, pa.string())
        for column in self.values:
            cells = self.cells.get(column["name"], [])
            arrays[stored_name(column["name"])] = pa.array(cells, _type(column))
        for column in self.kept:
            cells = self.cells.get(column["name"], [])
            arrays[stored_name(column["name"])] = pa.array(cells, pa.string())
        if self.molecules:
            arrays[SCAFFOLD] = pa.array(self.scaffolds, pa.string())
            arrays[HEAVY_ATOMS] = pa.array(self.heavy_atoms, pa.int32())
        return pa.table(arrays)


def _type(column: Column) -> pa.DataType:
    if column["type"] == "number":
        return pa.float64()
    return pa.timestamp("us") if column["type"] == "date" else pa.string()
