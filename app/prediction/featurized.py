"""Molecules of a file, standardized and featurized: computed once, packed into a Parquet file.

One row for each row of the file. Each featurizer's numbers are one column of fixed-size binary:
packed bits, counts of two bytes, or the numbers as they are; the fingerprints that neighbours are
found by are packed bits. What is read back is equal to the last bit.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.features.compute import FeatureSet, MoleculeCache
from app.features.fingerprints import WIDTH
from app.features.structures import FeaturizedStructures, featurize_structures
from app.featurizers.base import Featurizer
from app.models.bundle import BundlePredictions, ModelBundle

#: what a person knows a row by: its number, identifier and input
GIVEN = ("row", "id", "input")
_BITS = "bits"


@dataclass(frozen=True, kw_only=True)
class Featurized(FeaturizedStructures):
    """Of n rows of a file, in order."""

    #: columns of GIVEN
    given: dict[str, "pa.Array[Any]"]

    def __len__(self) -> int:
        return len(self.reasons)

    @classmethod
    def of(
        cls,
        feature_set: FeatureSet,
        given: dict[str, "pa.Array[Any]"],
        structures: Iterable[Any],
        cache: MoleculeCache | None,
    ) -> Self:
        """`structures`: `Standardized`, or the reason (str) why there is none."""
        found = featurize_structures(feature_set, structures, len(given["row"]), cache)
        return cls(given=given, **vars(found))

    def predicted(self, bundle: ModelBundle) -> BundlePredictions:
        """The same to the last bit whatever other rows of the file are among these."""
        numbers = self.given["row"]
        return bundle.predict_featurized(
            canonical=self.canonical,
            reasons=self.reasons,
            molecular=self.matrix,
            bits=self.bits,
            first_row=numbers[0].as_py() - 1 if len(numbers) else 0,
        )


def packed(rows: Featurized, feature_set: FeatureSet) -> pa.Table | None:
    """As a table, one row per row, with zeros where there are no features. None when a number does
    not fit the type of its column, which no known featurizer's does not.
    """
    good = np.array([reason is None for reason in rows.reasons], dtype=bool)
    columns: dict[str, Any] = {
        **rows.given,
        "canonical": pa.array(rows.canonical, pa.string()),
        "reason": pa.array(rows.reasons, pa.string()),
        "bits": _column(np.packbits(rows.bits, axis=1), good),
    }
    start = 0
    for number, featurizer in enumerate(feature_set.featurizers):
        block = rows.matrix[:, start : start + featurizer.width]
        stored = _stored(featurizer, block)
        if stored is None:
            return None
        columns[f"x{number}"] = _column(stored, good)
        start += featurizer.width
    return pa.table(columns)


def unpacked(table: pa.Table, feature_set: FeatureSet) -> Featurized:
    """What `packed` took, as it was."""
    reasons: list[str | None] = table.column("reason").to_pylist()
    good = np.array([reason is None for reason in reasons], dtype=bool)
    matrix = np.empty((int(good.sum()), feature_set.width), dtype=feature_set.dtype)
    start = 0
    for number, featurizer in enumerate(feature_set.featurizers):
        stored = _rows(table.column(f"x{number}"), _type(featurizer))[good]
        if featurizer.output == _BITS:
            stored = np.unpackbits(stored, axis=1)[:, : featurizer.width]
        matrix[:, start : start + featurizer.width] = stored
        start += featurizer.width
    bits = np.unpackbits(_rows(table.column("bits"), np.dtype(np.uint8))[good], axis=1)
    return Featurized(
        given={name: table.column(name).combine_chunks() for name in GIVEN},
        canonical=table.column("canonical").to_pylist(),
        reasons=reasons,
        matrix=matrix,
        bits=bits[:, :WIDTH],
    )


def _type(featurizer: Featurizer) -> np.dtype[Any]:
    """Counts are small: two bytes, of which the upper is nearly always 0 and compressed away."""
    small = {_BITS: np.uint8, "counts": np.uint16}
    return np.dtype(small.get(featurizer.output, featurizer.dtype))


def _stored(featurizer: Featurizer, block: NDArray[Any]) -> NDArray[Any] | None:
    if featurizer.output == _BITS:
        return np.packbits(block.astype(np.uint8), axis=1)
    found = block.astype(_type(featurizer))
    exact = found.dtype == block.dtype or np.array_equal(found, block)
    return found if exact else None


def _column(stored: NDArray[Any], good: NDArray[np.bool_]) -> "pa.Array[Any]":
    """(m, w) numbers as n binary cells of equal size; zeros where not `good`."""
    size = stored.dtype.itemsize * stored.shape[1]
    full = np.ascontiguousarray(stored)
    if not good.all():
        full = np.zeros((len(good), stored.shape[1]), dtype=stored.dtype)
        full[good] = stored
    cells: Any = pa.py_buffer(full.data)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(size), len(good), [None, cells])


def _rows(column: "pa.ChunkedArray[Any]", dtype: np.dtype[Any]) -> NDArray[Any]:
    """(n, w), a view of the column's memory."""
    array: Any = column.combine_chunks()
    width = array.type.byte_width
    data: NDArray[np.uint8] = np.frombuffer(array.buffers()[1], dtype=np.uint8)
    data = data[array.offset * width : (array.offset + len(array)) * width]
    rows: NDArray[Any] = data.view(dtype).reshape(len(array), width // dtype.itemsize)
    return rows
