"""Figures of one column of clean.parquet, read in row groups: numbers, words, dates."""

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.datasets.columns import Column, stored_name

_BINS = 20
_MAX_WORD = 100
#: different words that are told apart; of more, only that they are more
_MAX_DISTINCT = 10_000


def column_statistics(clean: Path, column: Column, *, top: int) -> dict[str, Any]:
    """How many are known (n), missing, type, unit, distinct; of numbers min, max, mean, median,
    std and a histogram, of dates min and max, of words the `top` most frequent (`classes`).
    """
    name = stored_name(column["name"])
    facts: dict[str, Any] = {"type": column["type"], "unit": column.get("unit")}
    if column["type"] == "number":
        return facts | _numbers(clean, name)
    if column["type"] == "date":
        return facts | _dates(clean, name)
    return facts | _words(clean, name, top)


def number_values(clean: Path, name: str) -> NDArray[np.float64]:
    """(n,) float64, NaN where it is missing."""
    values = _parquet(clean).read(columns=[name]).column(0)
    return values.to_numpy().astype(np.float64, copy=False)


def _parquet(clean: Path) -> pq.ParquetFile:
    """Of thousands of columns the footer takes 50 ms to read: not once for each column."""
    return pq.ParquetFile(clean, metadata=_footer(clean, clean.stat().st_mtime_ns))


@lru_cache(maxsize=1)
def _footer(clean: Path, changed: int) -> pq.FileMetaData:
    del changed  # only tells versions apart
    return pq.read_metadata(clean)


def _numbers(clean: Path, name: str) -> dict[str, Any]:
    values = number_values(clean, name)
    known = values[np.isfinite(values)]
    facts: dict[str, Any] = {"n": len(known), "missing": len(values) - len(known), "distinct": 0}
    if not len(known):
        return facts
    heights, edges = np.histogram(known, bins=_BINS)
    return facts | {
        "distinct": len(np.unique(known)),
        "min": float(known.min()),
        "max": float(known.max()),
        "mean": float(known.mean()),
        "median": float(np.median(known)),
        "std": float(known.std()),
        "histogram": {"counts": heights.tolist(), "edges": edges.tolist()},
    }


def _words(clean: Path, name: str, top: int) -> dict[str, Any]:
    counts: Counter[str] = Counter()
    n = missing = 0
    overflow = False
    for values in _groups(clean, name):
        missing += values.null_count
        n += len(values) - values.null_count
        found: Any = pc.value_counts(values.drop_null())
        for entry in found.to_pylist():
            counts[entry["values"]] += entry["counts"]
        if len(counts) > _MAX_DISTINCT:
            overflow = True
            counts = Counter(dict(counts.most_common(_MAX_DISTINCT // 10)))
    facts = {"n": n, "missing": missing, "distinct": _MAX_DISTINCT if overflow else len(counts)}
    if overflow:
        return facts | {"distinct_is_more": True}
    # among equals the first by name, so that the same data give the same report
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return facts | {"classes": {word[:_MAX_WORD]: number for word, number in ranked[:top]}}


def _dates(clean: Path, name: str) -> dict[str, Any]:
    values: Any = _parquet(clean).read(columns=[name]).column(0)
    ends: Any = pc.min_max(values)
    first, last = ends.as_py().values()
    return {
        "n": len(values) - values.null_count,
        "missing": values.null_count,
        "distinct": len(pc.unique(values.drop_null())),
        "min": first.isoformat() if first is not None else None,
        "max": last.isoformat() if last is not None else None,
    }


def _groups(clean: Path, name: str) -> Iterator[Any]:
    file = _parquet(clean)
    for number in range(file.num_row_groups):
        yield file.read_row_group(number, columns=[name]).column(0)
