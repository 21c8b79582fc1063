"""What a chunk of an ingest leaves: standardized rows as Parquet, refused rows as JSON."""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from app.datasets.columns import Column


@dataclass(frozen=True, kw_only=True)
class Refused:
    row: int
    value: str
    reason: str


@dataclass(kw_only=True)
class Staged:
    """Rows of one chunk, column by column."""

    targets: list[Column]
    kept: list[Column]
    rows: list[int] = field(default_factory=list)
    smiles: list[str] = field(default_factory=list)
    input_smiles: list[str] = field(default_factory=list)
    values: dict[str, list[Any]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    changes: dict[str, int] = field(default_factory=dict)
    bad_cells: dict[str, int] = field(default_factory=dict)

    def add(self, row: dict[str, Any], shown: str, structure: Any, targets: dict[str, Any]) -> None:
        self.rows.append(row["__row__"])
        self.smiles.append(structure.smiles)
        self.input_smiles.append(shown)
        for change in structure.changes:
            self.changes[change] = self.changes.get(change, 0) + 1
        for column in self.targets:
            self.values.setdefault(column["name"], []).append(targets[column["name"]])
        for column in self.kept:
            self.values.setdefault(column["name"], []).append(row[column["name"]])

    def table(self) -> pa.Table:
        arrays: dict[str, Any] = {
            "row": pa.array(self.rows, pa.int64()),
            "smiles": pa.array(self.smiles, pa.string()),
            "input_smiles": pa.array(self.input_smiles, pa.string()),
        }
        for column in (*self.targets, *self.kept):
            type_ = pa.float64() if _is_number_target(column) else pa.string()
            arrays[column["name"]] = pa.array(self.values.get(column["name"], []), type_)
        return pa.table(arrays)


def _is_number_target(column: Column) -> bool:
    return column["role"] == "target" and column["type"] == "number"
