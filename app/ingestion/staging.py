"""What a chunk of an ingest leaves: standardized rows as Parquet, refused rows as JSON."""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from app.datasets.columns import Column, stored_name


@dataclass(frozen=True, kw_only=True)
class Refused:
    row: int
    value: str
    reason: str


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
    refused: list[Refused] = field(default_factory=list)
    changes: dict[str, int] = field(default_factory=dict)
    bad_cells: dict[str, int] = field(default_factory=dict)

    def add(self, row: dict[str, Any], shown: str, structure: Any, values: dict[str, Any]) -> None:
        """`structure` is a Standardized; None in a table."""
        self.rows.append(row["__row__"])
        if self.molecules:
            self.smiles.append(structure.smiles)
            self.input_smiles.append(shown)
            for change in structure.changes:
                self.changes[change] = self.changes.get(change, 0) + 1
        for column in self.values:
            self.cells.setdefault(column["name"], []).append(values[column["name"]])
        for column in self.kept:
            self.cells.setdefault(column["name"], []).append(row[column["name"]])

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
        return pa.table(arrays)


def _type(column: Column) -> pa.DataType:
    if column["type"] == "number":
        return pa.float64()
    return pa.timestamp("us") if column["type"] == "date" else pa.string()
