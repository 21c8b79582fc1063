"""A featurizer's matrix as a .npy file, written while it is made, a part at a time."""

from collections.abc import Iterable
from typing import BinaryIO

import numpy as np

from app.featurizers.base import Features, Featurizer


def write_features(
    stream: BinaryIO,
    featurizer: Featurizer,
    rows: int,
    parts: Iterable[Features],
    *,
    packed: bool = False,
) -> dict[int, str]:
    """Writes what `np.save` of all parts below one another would; never more than one is held.
    `packed`: bits, 8 of a row to a byte (`np.packbits`).

    Of `rows` rows in all: which have no features, and why. Raises ValueError where the parts have
    more or fewer.
    """
    header = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(featurizer.dtype)),
        "fortran_order": False,
        "shape": (rows, -(-featurizer.width // 8) if packed else featurizer.width),
    }
    np.lib.format.write_array_header_1_0(stream, header)
    errors: dict[int, str] = {}
    start = 0
    for part in parts:
        matrix = np.packbits(part.matrix, axis=1) if packed else part.matrix
        stream.write(np.ascontiguousarray(matrix).data)
        errors.update({start + row: why for row, why in part.errors.items()})
        start += len(matrix)
    if start != rows:
        raise ValueError(f"features of {start} rows where {rows} were asked for")
    return errors
