"""How far the replicates of a structure lie apart: replicates.parquet beside clean.parquet.

One line for each merged row and target with two or more measured values: `row` (as in
clean.parquet), `target`, `n` (values), and `std` (numbers: sample standard deviation, in the
target's unit) or `agreement` (classes: share of the pairs of values that agree).
"""

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import stdev
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.datasets.columns import Column
from app.datasets.fingerprints import hash_texts
from app.datasets.records import Dataset

FILE = "replicates.parquet"
_TYPES: dict[str, pa.DataType] = {
    "row": pa.int64(),
    "target": pa.string(),
    "n": pa.int64(),
    "std": pa.float64(),
    "agreement": pa.float64(),
}


def sample_std(values: Sequence[float]) -> float:
    """Exactly 0 for equal values, whatever the rounding of their mean."""
    return stdev(values) if min(values) < max(values) else 0.0


def agreement(values: Sequence[Any]) -> float:
    """Share of the pairs of values that are equal."""
    pairs = math.comb(len(values), 2)
    return sum(math.comb(number, 2) for number in Counter(values).values()) / pairs


@dataclass(kw_only=True)
class Spreads:
    """What becomes of replicates.parquet: 32 bytes a line."""

    _targets: list[str] = field(default_factory=list)
    _rows: "array[int]" = field(default_factory=lambda: array("q"))
    _target: "array[int]" = field(default_factory=lambda: array("q"))
    _n: "array[int]" = field(default_factory=lambda: array("q"))
    _std: "array[float]" = field(default_factory=lambda: array("d"))
    _agreement: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, column: Column, row: int, values: Sequence[Any]) -> None:
        """`values`: the known ones of a merged row."""
        if len(values) < 2:  # noqa: PLR2004 - one value has no spread
            return
        if column["name"] not in self._targets:
            self._targets.append(column["name"])
        numeric = column["type"] == "number"
        self._rows.append(row)
        self._target.append(self._targets.index(column["name"]))
        self._n.append(len(values))
        self._std.append(sample_std(values) if numeric else np.nan)
        self._agreement.append(np.nan if numeric else agreement(values))

    def table(self) -> pa.Table:
        names = pa.array(self._targets, pa.string())
        cells = [
            pa.array(np.array(self._rows)),
            names.take(pa.array(np.array(self._target))),
            pa.array(np.array(self._n)),
            pa.array(np.array(self._std), from_pandas=True),
            pa.array(np.array(self._agreement), from_pandas=True),
        ]
        return pa.table(cells, schema=pa.schema(_TYPES))


@dataclass(frozen=True, kw_only=True)
class Replicated:
    """Of one target."""

    #: of each structure with two or more values: how many, and their std or agreement, (g,)
    n: NDArray[np.int64]
    spread: NDArray[np.float64]
    #: of each row of the data set how many values its label is the mean or majority of
    values_of_row: NDArray[np.int64]


def replicates_of(dataset: Dataset, target: str, *, numeric: bool) -> Replicated | None:
    """From merged rows, and from rows with one structure where none were merged (`keep_all`).

    None where there are none that are known: in tables, and where an earlier release, or the rule
    `keep_first`, kept nothing of them.
    """
    if dataset.kind != "molecule":
        return None
    merged = merged_spreads(dataset, target, numeric=numeric)
    kept = _kept_apart(dataset, target, numeric=numeric)
    n = np.array([*merged.column("n").to_pylist(), *(k[0] for k in kept)], dtype=np.int64)
    if not len(n):
        return None
    spread = np.array([*merged.column("spread").to_pylist(), *(k[1] for k in kept)])
    values_of_row = np.ones(dataset.size, dtype=np.int64)
    places = np.searchsorted(np.asarray(dataset.rows), np.asarray(merged.column("row")))
    values_of_row[places] = merged.column("n").to_numpy()
    return Replicated(n=n, spread=spread, values_of_row=values_of_row)


def merged_spreads(dataset: Dataset, target: str, *, numeric: bool) -> pa.Table:
    """`row` (as in clean.parquet), `n`, `spread` (std or agreement) of merged rows."""
    spread = "std" if numeric else "agreement"
    storage, key = dataset.resources.storage, f"{dataset.folder_key}/{FILE}"
    known = storage.exists(key)
    table: Any = pq.read_table(storage.local_path(key)) if known else Spreads().table()
    chosen = (pc.field("target") == target) & pc.field(spread).is_valid()
    found: pa.Table = table.filter(chosen).select(["row", "n", spread])
    return found.rename_columns(["row", "n", "spread"])


def _kept_apart(dataset: Dataset, target: str, *, numeric: bool) -> list[tuple[int, float]]:
    values = dataset.values(target)
    groups: dict[int, list[Any]] = {}
    hashes = hash_texts(dataset.smiles)
    _, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    for place in np.flatnonzero(counts[inverse] > 1):
        if values[place] is not None:
            groups.setdefault(int(inverse[place]), []).append(values[place])
    several = [group for group in groups.values() if len(group) > 1]
    if numeric:
        return [(len(g), sample_std(g)) for g in several if all(isinstance(v, float) for v in g)]
    return [(len(group), agreement(group)) for group in several]
