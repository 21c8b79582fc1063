"""A featurizer's matrix as a .npy file, bits packed; written while it is made, a part at a time."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from app.featurizers.base import Features, Featurizer


def write_features(
    stream: BinaryIO, featurizer: Featurizer, rows: int, parts: Iterable[Features]
) -> dict[int, str]:
    """Writes what `np.save` of all parts below one another would; never more than one is held.

    Of `rows` rows in all: which have no features, and why. Raises ValueError where the parts have
    more or fewer.
    """
    bits = featurizer.output == "bits"
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(featurizer.dtype)),
        "fortran_order": False,
        "shape": (rows, -(-featurizer.width // 8) if bits else featurizer.width),
    }
    np.lib.format.write_array_header_1_0(stream, header)
    errors: dict[int, str] = {}
    start = 0
    for part in parts:
        matrix = np.packbits(part.matrix, axis=1) if bits else part.matrix
        stream.write(np.ascontiguousarray(matrix).data)
        errors.update({start + row: why for row, why in part.errors.items()})
        start += len(matrix)
    if start != rows:
        raise ValueError(f"features of {start} rows where {rows} were asked for")
    return errors


def read_matrix(path: Path, featurizer: Featurizer) -> NDArray[Any]:
    """(rows, width) of such a file, memory-mapped where it is not packed."""
    matrix: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if featurizer.output == "bits":
        return np.unpackbits(matrix, axis=1, count=featurizer.width)
    return matrix
