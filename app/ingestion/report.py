"""What a person looks at before they train: counts, reasons, columns, targets, conflicts."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from app.core.work import ChunkResult
from app.datasets.columns import Column, stored_name
from app.datasets.parts import Layout
from app.ingestion.merging import Replicates
from app.ingestion.staging import Refused

_BINS = 20
_SHOWN = 50
_MAX_COLUMNS = 200


def build_report(
    *,
    layout: Layout,
    counts: dict[str, int],
    refused: Sequence[Refused],
    replicates: Replicates,
    results: Sequence[ChunkResult],
    clean: Path,
) -> dict[str, Any]:
    """Small (it is kept in the data set's row): at most 50 refused rows and 100 conflicts."""
    targets = [column for column in layout.columns if column["role"] == "target"]
    return {
        "counts": counts,
        "kind": layout.kind,
        "format": layout.format,
        "notes": layout.notes,
        "columns": layout.columns[:_MAX_COLUMNS],
        "reasons": dict(Counter(entry.reason for entry in refused).most_common(_SHOWN)),
        "refused": [entry.__dict__ for entry in refused[:_SHOWN]],
        "changes": _summed(results, "changes"),
        "bad_cells": _summed(results, "bad_cells"),
        "duplicates": {
            "structures": len(replicates.groups),
            "conflicts": replicates.n_conflicts,
            "named": replicates.conflicts,
        },
        "targets": {c["name"]: _target(clean, c) for c in targets[:_MAX_COLUMNS]},
    }


def _summed(results: Sequence[ChunkResult], name: str) -> dict[str, int]:
    total: Counter[str] = Counter()
    for result in results:
        total.update(result.result.get(name, {}))
    return dict(total)


def _target(clean: Path, column: Column) -> dict[str, Any]:
    """Count and distribution of one target column."""
    values = pq.read_table(clean, columns=[stored_name(column["name"])]).column(0)
    known = values.drop_null()
    facts: dict[str, Any] = {"n": len(known), "missing": values.null_count, "type": column["type"]}
    if column["type"] != "number":
        shares = Counter(known.to_pylist()).most_common(_SHOWN)
        return facts | {"classes": dict(shares)}
    if not len(known):
        return facts
    numbers = known.to_numpy()
    heights, edges = np.histogram(numbers, bins=_BINS)
    return facts | {
        "min": float(numbers.min()),
        "max": float(numbers.max()),
        "mean": float(numbers.mean()),
        "std": float(numbers.std()),
        "histogram": {"counts": heights.tolist(), "edges": edges.tolist()},
    }
