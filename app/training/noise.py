"""The noise ceiling of a data set's targets, where replicates are known."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from app.datasets.records import Dataset
from app.datasets.replicates import replicates_of
from app.metrics.noise_ceiling import ceiling_of_classes, ceiling_of_numbers
from app.splitters.base import Indices
from app.training.examples import Labels


def noise_ceiling(
    dataset: Dataset,
    labels: Labels,
    rows: Indices,
    *,
    seed: int,
    targets: Sequence[str] | None = None,
    factors: Mapping[str, float] | None = None,
) -> dict[str, dict[str, Any]]:
    """Per target with replicates, in the form of app/metrics/noise_ceiling.py: the noise from all
    replicates of the data set, the best figures for the labels of `rows`. `targets`: those that the
    data set has (left out: all). `factors`: what turns a deviation of the data set's column into
    the unit of the labels, where that is another.
    """
    found: dict[str, dict[str, Any]] = {}
    task = labels.task
    for number, target in enumerate(task.targets):
        if targets is not None and target not in targets:
            continue
        replicated = replicates_of(dataset, target, numeric=not task.is_classification)
        if replicated is None:
            continue
        if task.is_classification:
            classes = len(task.classes[number])
            found[target] = ceiling_of_classes(replicated.n, replicated.spread, classes)
            continue
        known = rows[np.isfinite(labels.y[rows, number])]
        found[target] = ceiling_of_numbers(
            replicated.n,
            replicated.spread * (factors or {}).get(target, 1.0),
            labels.y[known, number],
            replicated.values_of_row[known],
            seed=seed,
        )
    return found
