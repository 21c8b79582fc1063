"""What features are worth to a model without importances of its own, measured when it is trained.

On test rows, which it has not learned from, by shuffling. Each feature by itself where there are
few; else the columns of a featurizer as one block: of thousands of columns that stand in for each
other, each by itself is worth next to nothing. The cost is bounded by counts, never by the clock,
so that the same request gives the same bytes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import HasImportances
from app.core.work import WorkContext
from app.features.fitted import FittedFeatures
from app.metrics.base import Metric, metrics
from app.metrics.evaluate import default_metric
from app.models.bundle import ModelBundle
from app.training.permutation import Groups, shuffled, single_features

#: features that are tried one by one
FEW = 30
#: test rows, at most and at least, and shuffles of each feature
ROWS, MIN_ROWS, SHUFFLES = 300, 30, 3
#: columns of training rows x targets that one may always be compared with: seconds
_CHEAP = 5_000_000_000


def measured_importance(
    bundle: ModelBundle,
    X: NDArray[Any],
    y: NDArray[np.float64],
    context: WorkContext,
    *,
    learned: int,
    compares_rows: bool,
    seed: int,
) -> dict[str, Any] | None:
    """{"method": "permutation", "metric", "rows", "shuffles", "blocks": bool, "of": features or
    blocks that there are, "targets": {target: {"score", "losses": [{"name", "columns", "loss",
    "std"}, ...]}}}: loss of the default metric, mean and standard deviation of the shuffles, most
    first. {"method": "none", "why"} where it would cost too much or say nothing; None for a model
    that has importances of its own.

    X (n, width), y (n, targets) of the test rows; `learned`: rows that the model learned from.
    Where it `compares_rows`, as many rows are predicted as it has learned from at most, or what
    seconds allow: less than one more fit.
    """
    if isinstance(bundle.fitted, HasImportances) and bundle.fitted.importances():
        return None
    task = bundle.manifest.learning_task
    groups, blocks = shuffle_groups(bundle.features, X, y)
    known = np.flatnonzero(np.isfinite(y).any(axis=1))
    if len(known) < MIN_ROWS:
        return _none(f"{len(known)} test rows are too few")
    rows = min(ROWS, len(known))
    if compares_rows:
        pairs = max(1, learned * X.shape[1] * len(task.targets))
        rows = min(rows, max(learned, _CHEAP // pairs) // (SHUFFLES * len(groups)))
    if rows < MIN_ROWS:
        return _none(f"each prediction is compared with {learned:,} rows, which costs too much")
    metric: Metric = metrics.get(default_metric(task.type))()
    found = shuffled(
        bundle.predict_matrix,
        X[known],
        y[known],
        groups,
        metric,
        context,
        rows=rows,
        shuffles=SHUFFLES,
        seed=seed,
    )
    told = {
        target: {
            "score": round(float(score), 6),
            "losses": _ranked(groups, losses),
        }
        for target, score, losses in zip(
            task.targets, found.whole, np.moveaxis(found.losses, 2, 0), strict=True
        )
        if np.isfinite(score) and np.isfinite(losses).all()
    }
    if not told:
        return _none(f"{metric.name} is not defined on these test rows")
    return {
        "method": "permutation",
        "metric": metric.name,
        "rows": found.n,
        "shuffles": SHUFFLES,
        "blocks": blocks,
        "of": len(set(bundle.features.sources)) if not blocks else len(groups),
        "targets": told,
    }


def _none(why: str) -> dict[str, Any]:
    return {"method": "none", "why": why}


def shuffle_groups(
    features: FittedFeatures, X: NDArray[Any], y: NDArray[np.float64]
) -> tuple[Groups, bool]:
    """What is shuffled together, and whether featurizers are blocks in it. Of more columns of a
    table than are tried, those that correlate most with the targets.
    """
    sources = features.sources
    of_molecules = features.feature_set.width
    if len(set(sources)) <= FEW or not of_molecules:
        return single_features(sources, X, y, FEW), False
    groups: dict[str, NDArray[np.int64]] = {}
    start = 0
    for featurizer in features.feature_set.featurizers:
        stop = start + featurizer.width
        groups[_unused(featurizer.name, groups)] = np.arange(start, stop)
        start = stop
    beside = single_features(sources[of_molecules:], X[:, of_molecules:], y, FEW)
    for name, columns in beside.items():
        groups[_unused(name, groups)] = columns + of_molecules
    return groups, True


def _unused(name: str, groups: Groups) -> str:
    """Two featurizers of one name differ in parameters."""
    number, found = 1, name
    while found in groups:
        number += 1
        found = f"{name} ({number})"
    return found


def _ranked(groups: Groups, losses: NDArray[np.float64]) -> list[dict[str, Any]]:
    """`losses` (shuffles, groups) of one target."""
    each: list[dict[str, Any]] = [
        {
            "name": name,
            "columns": len(columns),
            "loss": round(float(loss), 6),
            "std": round(float(std), 6),
        }
        for (name, columns), loss, std in zip(
            groups.items(), losses.mean(axis=0), losses.std(axis=0), strict=True
        )
    ]
    return sorted(each, key=lambda entry: -entry["loss"])
