"""64 bits for each value of a column and for each row, to compare tables without holding them."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_MISSING = np.uint64(0x5851F42D4C957F2D)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def hash_texts(texts: Iterable[str]) -> Hashes:
    """64 bits of SHA-256 each: nobody makes two texts that meet, and chance does so once in 10^5
    files of 20 million rows.
    """
    digests = b"".join(hashlib.sha256(text.encode()).digest()[:8] for text in texts)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def hash_rows(path: Path, names: list[str]) -> Hashes:
    """One for each row of the Parquet file, over the columns `names` in that order."""
    if not names:
        return np.zeros(pq.ParquetFile(path).metadata.num_rows, dtype=np.uint64)
    parts = [
        _of_table(batch, names)
        for batch in pq.ParquetFile(path).iter_batches(batch_size=20_000, columns=names)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)


def mixed(values: Hashes) -> Hashes:
    """Neighbouring numbers become unlike ones (splitmix64: Steele et al. 2014, OOPSLA)."""
    with np.errstate(over="ignore"):
        values = values + _GOLDEN
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))


def combined(first: Hashes, second: Hashes) -> Hashes:
    """Of two columns one; their order matters."""
    with np.errstate(over="ignore"):
        return mixed(first * _GOLDEN + second)


def _of_table(batch: Any, names: list[str]) -> Hashes:
    rows = np.zeros(len(batch), dtype=np.uint64)
    for name in names:
        rows = combined(rows, _of_column(batch.column(name)))
    return rows


def _of_column(column: Any) -> Hashes:
    """Numbers and dates by their bits (0.0 is -0.0), words by SHA-256, missing values as one."""
    if pa.types.is_string(column.type):
        coded = column.dictionary_encode()
        hashes = hash_texts(coded.dictionary.to_pylist())
        # nothing but missing values: one entry to point to
        hashes = hashes if len(hashes) else np.zeros(1, dtype=np.uint64)
        found = hashes[coded.indices.fill_null(0).to_numpy(zero_copy_only=False)]
    elif pa.types.is_floating(column.type):
        numbers = pc.fill_null(column, 0.0).to_numpy(zero_copy_only=False) + 0.0
        found = mixed(numbers.astype(np.float64).view(np.uint64))
    else:
        numbers = pc.fill_null(column.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        found = mixed(numbers.view(np.uint64))
    missing = column.is_null().to_numpy(zero_copy_only=False)
    return np.where(missing, _MISSING, found)
