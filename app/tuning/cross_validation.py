"""The score of one set of parameters: k folds inside the rows that may be seen."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import Algorithm, Examples, FitContext
from app.core.work import WorkContext
from app.metrics.across_targets import mean_of_defined, needs_scales
from app.metrics.base import Metric
from app.training.material import Material
from app.training.scoring import Scorer, mean_baseline

Values = NDArray[np.float64]


def folds(material: Material, n: int, seed: int) -> list[NDArray[np.int64]]:
    """Train and validation rows of the split, shuffled into n parts; the test rows are in none.

    Classes of the first target are spread evenly over the parts.
    """
    split = material.split.split
    rows = material.usable(np.concatenate([split.train, split.validation]))
    rng = np.random.default_rng(seed)
    order = rows[rng.permutation(len(rows))]
    if material.labels.task.is_classification:
        labels = material.labels.y[order, 0]
        order = order[np.argsort(np.nan_to_num(labels, nan=-1.0), kind="stable")]
    return [np.sort(order[start::n]) for start in range(n)]


def cross_validate(
    material: Material,
    algorithm: Algorithm,
    metric: Metric,
    parts: list[NDArray[np.int64]],
    *,
    seed: int,
    threads: int,
    device: Any,
    work: WorkContext,
) -> float:
    """Mean of the metric over folds and targets; NaN where it is defined nowhere. Errors of several
    targets are relative to the trivial baseline (app/metrics/across_targets.py).

    Each fold's model is fitted on the other folds; an algorithm that stops early takes the next
    fold as its validation part, so that the scored fold stays unseen.
    """
    scores = []
    for number, held_out in enumerate(parts):
        work.raise_if_cancelled()
        others = [part for place, part in enumerate(parts) if place != number]
        validation = None
        if algorithm.needs_validation and len(others) > 1:
            validation, *others = others
        train = np.sort(np.concatenate(others))
        features = material.fit_features(train)
        fitted = algorithm.fit(
            material.labels.task,
            material.examples(features, train),
            None if validation is None else material.examples(features, validation),
            FitContext(seed=seed, threads=threads, device=device, work=work),
        )
        scores.append(_scores(fitted, metric, material.examples(features, held_out)))
    scales = _scales(material, metric, parts)
    return mean_of_defined([mean_of_defined(values / scales) for values in scores])


def _scores(fitted: Any, metric: Metric, held_out: Examples) -> Values:
    """(targets,): NaN where it is not defined."""
    predictions = fitted.predict(held_out.X)
    values = np.full(held_out.y.shape[1], np.nan)
    for number in range(len(values)):
        known = np.isfinite(held_out.y[:, number])
        if known.any():
            probabilities = predictions.probabilities
            values[number] = metric.compute(
                held_out.y[known, number],
                predictions.values[known, number],
                None if probabilities is None else probabilities[number][known],
            )
    return values


def _scales(material: Material, metric: Metric, parts: Sequence[NDArray[np.int64]]) -> Values:
    """(targets,): error of the trivial baseline, mean over the folds; 1 where nothing is scaled."""
    y, task = material.labels.y, material.labels.task
    if not needs_scales(metric.name, len(task.targets)):
        return np.ones(len(task.targets))
    scorer = Scorer(task=task, metrics=[metric])
    folds = []
    for number, held_out in enumerate(parts):
        others = np.concatenate([part for place, part in enumerate(parts) if place != number])
        folds.append(scorer.baseline(y[others], y[held_out]))
    return mean_baseline(metric.name, folds)
