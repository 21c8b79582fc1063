"""Replicates whose labels contradict each other, merged at ingest or not."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import LearningTask
from app.datasets.records import Dataset
from app.datasets.replicates import merged_spreads, sample_std
from app.splitters.base import Indices
from app.training.leaks.findings import Finding, how_many

#: numbers contradict each other when their sample standard deviation is more than this share of
#: the target's over the data set; classes when they differ
_SHARE = 0.5

Groups = Mapping[str, Sequence[int]]


def conflicting_replicates(
    dataset: Dataset, y: NDArray[np.float64], task: LearningTask, rows: Indices
) -> list[Finding]:
    """One finding for each target that has such replicates. `rows`: those that are used."""
    groups: dict[str, list[int]] = defaultdict(list)
    for row in rows.tolist():
        groups[dataset.smiles[row]].append(row)
    findings = []
    for number, target in enumerate(task.targets):
        merged = _merged(dataset, target, y[rows, number], task)
        places = [row for row in rows.tolist() if dataset.rows[row] in merged]
        apart = _apart(groups, y[:, number], _limit(y[rows, number], task))
        if places or apart:
            findings.append(_finding(dataset, target, places, apart))
    return findings


def _limit(labels: NDArray[np.float64], task: LearningTask) -> float:
    return 0.0 if task.is_classification else _SHARE * float(np.nanstd(labels))


def _merged(
    dataset: Dataset, target: str, labels: NDArray[np.float64], task: LearningTask
) -> set[int]:
    """Row numbers of the source file."""
    # numbers that are learned as classes have a spread all the same
    spreads = merged_spreads(dataset, target, numeric=True).to_pylist()
    agreements = merged_spreads(dataset, target, numeric=False).to_pylist()
    limit = _limit(labels, task)
    return {one["row"] for one in spreads if one["spread"] > limit} | {
        one["row"] for one in agreements if one["spread"] < 1.0
    }


def _apart(groups: Groups, labels: NDArray[np.float64], limit: float) -> list[Sequence[int]]:
    """Groups of rows with one structure."""
    found = []
    for group in groups.values():
        known = [labels[row] for row in group if np.isfinite(labels[row])]
        if len(known) > 1 and sample_std(known) > limit:
            found.append(group)
    return found


def _finding(
    dataset: Dataset, target: str, merged: list[int], apart: list[Sequence[int]]
) -> Finding:
    rows = sorted({*merged, *(row for group in apart for row in group)})
    compounds = len(merged) + len(apart)
    return Finding(
        leak="conflicting_replicates",
        severity="warning",
        detail=f"{how_many(compounds, 'compound has', 'compounds have')} measurements of "
        f"{target!r} that contradict each other, e.g. {dataset.smiles[rows[0]]}",
        remedy="Look at the rows (GET /api/v1/datasets/{ref}/report names the values), correct or "
        "leave out the wrong ones, and ingest again.",
        rows=rows,
    )
