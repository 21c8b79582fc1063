"""The noise ceiling of a data set's targets, where replicates are known."""

from typing import Any

import numpy as np

from app.datasets.records import Dataset
from app.datasets.replicates import replicates_of
from app.metrics.noise_ceiling import ceiling_of_classes, ceiling_of_numbers
from app.splitters.base import Indices
from app.training.examples import Labels


def noise_ceiling(
    dataset: Dataset, labels: Labels, rows: Indices, *, seed: int
) -> dict[str, dict[str, Any]]:
    """Per target with replicates, in the form of app/metrics/noise_ceiling.py: the noise from all
    replicates of the data set, the best figures for the labels of `rows`.
    """
    found: dict[str, dict[str, Any]] = {}
    task = labels.task
    for number, target in enumerate(task.targets):
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
            replicated.spread,
            labels.y[known, number],
            replicated.values_of_row[known],
            seed=seed,
        )
    return found
