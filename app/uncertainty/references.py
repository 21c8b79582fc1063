"""The rows that a model learned from, kept with it: what predictions are compared to."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.algorithms.scaling import Scaling
from app.uncertainty.euclidean import EuclideanIndex
from app.uncertainty.expected_error import References
from app.uncertainty.nearest import NeighbourIndex
from app.uncertainty.tanimoto import TanimotoIndex

_FILE = "references.parquet"
_SCALING = "neighbours.safetensors"


@dataclass(frozen=True, kw_only=True)
class ReferenceRows:
    """r training rows. Of molecules `keys` are Morgan bits, of a table the model's features."""

    #: (r,) row numbers in the file
    numbers: NDArray[np.int64]
    #: standardized SMILES; empty for a table
    smiles: Sequence[str]
    #: (r, targets) measured, or class indices; NaN where there is no label
    y: NDArray[np.float64]
    #: (r, targets) measured minus out-of-fold prediction; NaN where there is none
    residuals: NDArray[np.float64]
    #: (r, width) uint8 of 0 and 1, or float32
    keys: NDArray[Any]

    @cached_property
    def names(self) -> "pa.Array[Any]":
        """(r,) what a person knows a row by: its SMILES, or its number."""
        return pa.array(self.smiles) if self.smiles else pa.array(self.numbers)

    def target(self, number: int) -> References:
        return References(y=self.y[:, number], residuals=self.residuals[:, number])

    def index(self, scaling: Scaling | None = None) -> NeighbourIndex:
        return index_of(self.keys, molecules=bool(self.smiles), scaling=scaling)

    def save(self, folder: Path, index: NeighbourIndex) -> None:
        """One Parquet file; molecules' bits packed."""
        keys = np.packbits(self.keys, axis=1) if self.smiles else self.keys.astype(np.float32)
        columns: dict[str, Any] = {
            "row": pa.array(self.numbers),
            "key": pa.array(
                [key.tobytes() for key in keys], pa.binary(keys.itemsize * keys.shape[1])
            ),
        }
        if self.smiles:
            columns["smiles"] = pa.array(self.smiles)
        for number in range(self.y.shape[1]):
            columns[f"y{number}"] = pa.array(self.y[:, number])
            columns[f"residual{number}"] = pa.array(self.residuals[:, number])
        buffer = io.BytesIO()
        pq.write_table(pa.table(columns), buffer, compression="zstd")
        (folder / _FILE).write_bytes(buffer.getvalue())
        if isinstance(index, EuclideanIndex):
            index.scaling.save(folder / _SCALING)

    @classmethod
    def load(cls, folder: Path, targets: int) -> tuple[Self, NeighbourIndex]:
        table = pq.read_table(folder / _FILE)
        molecules = "smiles" in table.column_names
        listed: dict[str, list[Any]] = table.select(["key", *["smiles"] * molecules]).to_pydict()
        kind: Any = np.uint8 if molecules else np.float32
        keys: Any = np.frombuffer(b"".join(listed["key"]), dtype=kind).reshape(table.num_rows, -1)
        rows = cls(
            numbers=table.column("row").to_numpy(),
            smiles=listed["smiles"] if molecules else (),
            y=_stacked(table, "y", targets),
            residuals=_stacked(table, "residual", targets),
            keys=np.unpackbits(keys, axis=1) if molecules else keys,
        )
        scaling = None if molecules else Scaling.load(folder / _SCALING)
        return rows, rows.index(scaling)


def index_of(
    keys: NDArray[Any], *, molecules: bool, scaling: Scaling | None = None
) -> NeighbourIndex:
    """Of bits of molecules, or of features of a table's rows."""
    return TanimotoIndex(keys) if molecules else EuclideanIndex(keys, scaling)


def _stacked(table: pa.Table, name: str, targets: int) -> NDArray[np.float64]:
    return np.column_stack([table.column(f"{name}{n}").to_numpy() for n in range(targets)])
