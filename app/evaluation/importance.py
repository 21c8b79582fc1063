"""What a model's features are worth: its own figures, or how much worse it gets without them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import HasImportances
from app.core.work import WorkContext
from app.metrics.base import Metric, metrics
from app.metrics.evaluate import default_metric
from app.models.bundle import ModelBundle

_SHOWN = 100
_ROWS, _COLUMNS, _REPEATS = 300, 30, 2


def feature_importance(
    bundle: ModelBundle,
    names: Sequence[str],
    X: NDArray[Any],
    y: NDArray[np.float64],
    context: WorkContext,
    *,
    seed: int,
) -> dict[str, Any]:
    """{"method", "unit", "note", "targets": {target: [[feature, value], ...]}}, highest first, at
    most 100; columns of one name are summed. X (n, width), y (n, targets).

    The estimator's own importances where every target has them (shares, sum 1); else permutation
    (Breiman 2001; Fisher et al. 2019): the loss of the default metric when a column is shuffled
    among at most 300 of the rows, mean of 2 shuffles. Of a wide matrix only the 30 columns that
    correlate most with the targets are tried, so the cost is bounded whatever the model.
    """
    task = bundle.manifest.learning_task
    own = bundle.fitted.importances() if isinstance(bundle.fitted, HasImportances) else {}
    if own:
        return {
            "method": f"{bundle.manifest.algorithm}'s own",
            "unit": "share of the model's total",
            "note": "" if len(own) == len(task.targets) else "targets without one are left out",
            "targets": {t: _ranked(names, shares, range(len(names))) for t, shares in own.items()},
        }
    metric: Metric = metrics.get(default_metric(task.type))()
    groups = _groups(names, X, y)
    losses, n = _losses(bundle, X, y, groups, metric, context, seed)
    note = f"{len(groups)} of {len(set(names))} features tried, on {n} rows, {_REPEATS} shuffles"
    if len(groups) < len(set(names)):
        note += "; those that correlate most with the targets were chosen"
    return {
        "method": "permutation",
        "unit": f"loss of {metric.name}",
        "note": note,
        "targets": {
            target: _sorted([(name, float(loss)) for name, loss in zip(groups, of, strict=True)])
            for target, of in zip(task.targets, losses.T, strict=True)
            if np.isfinite(of).all() and len(of)
        },
    }


def _ranked(names: Sequence[str], values: NDArray[np.float64], columns: Any) -> list[list[Any]]:
    total: dict[str, float] = {}
    for column in columns:
        total[names[column]] = total.get(names[column], 0.0) + float(values[column])
    return _sorted([(name, value) for name, value in total.items() if value > 0])


def _sorted(values: list[tuple[str, float]]) -> list[list[Any]]:
    best = sorted(values, key=lambda pair: -pair[1])[:_SHOWN]
    return [[name, round(value, 6)] for name, value in best]


def _groups(
    names: Sequence[str], X: NDArray[Any], y: NDArray[np.float64]
) -> dict[str, NDArray[np.int64]]:
    """Feature -> its columns, for the features to try."""
    features = np.asarray(names)
    if len(set(names)) <= _COLUMNS:
        return {name: np.flatnonzero(features == name) for name in dict.fromkeys(names)}
    strength = _correlation(X, y)
    chosen = dict.fromkeys(str(features[i]) for i in np.argsort(-strength, kind="stable"))
    return {name: np.flatnonzero(features == name) for name in list(chosen)[:_COLUMNS]}


def _correlation(X: NDArray[Any], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(width,) mean over the targets of |Pearson's r|; 0 where it is not defined."""
    total = np.zeros(X.shape[1])
    for number in range(y.shape[1]):
        known = np.flatnonzero(np.isfinite(y[:, number]))[:2000]
        if len(known) > 1:
            total += _pearson(X[known].astype(np.float64), y[known, number])
    return total


def _pearson(X: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        X = X - np.nanmean(np.where(np.isfinite(X), X, np.nan), axis=0)
        X[~np.isfinite(X)] = 0.0
        centred = y - y.mean()
        r = np.abs(centred @ X) / np.sqrt((X**2).sum(axis=0) * (centred**2).sum())
    return np.asarray(np.nan_to_num(r, nan=0.0, posinf=0.0))


def _losses(
    bundle: ModelBundle,
    X: NDArray[Any],
    y: NDArray[np.float64],
    groups: dict[str, NDArray[np.int64]],
    metric: Metric,
    context: WorkContext,
    seed: int,
) -> tuple[NDArray[np.float64], int]:
    """(features, targets) loss of the metric, positive when the model got worse; and the rows."""
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(X))[:_ROWS])
    X, y = np.array(X[rows]), y[rows]
    sign = 1.0 if metric.direction == "maximize" else -1.0
    whole = _scores(bundle, X, y, metric)
    losses = np.zeros((len(groups), y.shape[1]))
    for number, columns in enumerate(groups.values()):
        context.raise_if_cancelled()
        kept = X[:, columns].copy()
        for _ in range(_REPEATS):
            X[:, columns] = kept[rng.permutation(len(X))]
            losses[number] += sign * (whole - _scores(bundle, X, y, metric)) / _REPEATS
        X[:, columns] = kept
    return losses, len(rows)


def _scores(
    bundle: ModelBundle, X: NDArray[Any], y: NDArray[np.float64], metric: Metric
) -> NDArray[np.float64]:
    found = bundle.predict_matrix(X)
    scores = np.full(y.shape[1], np.nan)
    for number in range(y.shape[1]):
        known = np.isfinite(y[:, number])
        if known.any():
            p = None if found.probabilities is None else found.probabilities[number][known]
            scores[number] = metric.compute(y[known, number], found.values[known, number], p)
    return scores
