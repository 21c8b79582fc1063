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
from app.training.importance import FEW, shuffle_groups
from app.training.permutation import Groups, shuffled, single_features

_SHOWN = 100
_ROWS, _REPEATS = 300, 2


def feature_importance(
    bundle: ModelBundle,
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
    among at most 300 of the rows, mean of 2 shuffles. Of many columns a featurizer's are shuffled
    as one block, as in training; where there is one block only, the 30 columns that correlate most
    with the targets are tried, so the cost is bounded whatever the model.
    """
    names = bundle.features.sources
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
    groups, blocks = shuffle_groups(bundle.features, X, y)
    if len(groups) == 1:
        groups, blocks = single_features(names, X, y, FEW), False
    found = shuffled(
        bundle.predict_matrix,
        X,
        y,
        groups,
        metric,
        context,
        rows=_ROWS,
        shuffles=_REPEATS,
        seed=seed,
    )
    losses = found.losses.mean(axis=0)
    return {
        "method": "permutation",
        "unit": f"loss of {metric.name}",
        "note": _note(groups, found.n, None if blocks else len(set(names))),
        "targets": {
            target: _sorted([(name, float(loss)) for name, loss in zip(groups, of, strict=True)])
            for target, of in zip(task.targets, losses.T, strict=True)
            if np.isfinite(of).all() and len(of)
        },
    }


def _note(groups: Groups, rows: int, features: int | None) -> str:
    """`features`: that there are; None where blocks of them were shuffled."""
    how = f"on {rows} rows, {_REPEATS} shuffles"
    if features is None:
        return f"{len(groups)} blocks tried, {how}; the columns of a featurizer are one block"
    note = f"{len(groups)} of {features} features tried, {how}"
    if len(groups) < features:
        note += "; those that correlate most with the targets were chosen"
    return note


def _ranked(names: Sequence[str], values: NDArray[np.float64], columns: Any) -> list[list[Any]]:
    total: dict[str, float] = {}
    for column in columns:
        total[names[column]] = total.get(names[column], 0.0) + float(values[column])
    return _sorted([(name, value) for name, value in total.items() if value > 0])


def _sorted(values: list[tuple[str, float]]) -> list[list[Any]]:
    best = sorted(values, key=lambda pair: -pair[1])[:_SHOWN]
    return [[name, round(value, 6)] for name, value in best]
