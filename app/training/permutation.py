"""How much worse a model gets when features are shuffled among rows (Breiman 2001; Fisher et al.
2019): works for every model, since it only predicts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import Predictions
from app.core.work import WorkContext
from app.metrics.base import Metric, Values

Predict = Callable[[NDArray[Any]], Predictions]
#: feature, or block of features -> its columns
Groups = Mapping[str, NDArray[np.int64]]

#: labelled rows that a correlation is looked for in
_CORRELATED = 2_000


@dataclass(frozen=True, kw_only=True)
class Shuffled:
    #: (targets,) the metric with nothing shuffled; NaN where it is not defined
    whole: Values
    #: (shuffles, groups, targets) what the metric lost, positive when the model got worse
    losses: Values
    #: rows that were predicted
    n: int


def shuffled(
    predict: Predict,
    X: NDArray[Any],
    y: Values,
    groups: Groups,
    metric: Metric,
    context: WorkContext,
    *,
    rows: int,
    shuffles: int,
    seed: int,
) -> Shuffled:
    """X (n, width), y (n, targets) with NaN for a missing label; at most `rows` of them, drawn by
    the seed. The columns of a group are shuffled together, so that they still go with each other.
    Costs 1 + groups x shuffles predictions of the rows.
    """
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(X))[:rows])
    X, y = np.array(X[chosen]), y[chosen]
    sign = 1.0 if metric.direction == "maximize" else -1.0
    whole = _scores(predict(X), y, metric)
    losses = np.zeros((shuffles, len(groups), y.shape[1]))
    for number, columns in enumerate(groups.values()):
        context.raise_if_cancelled()
        kept = X[:, columns].copy()
        for turn in range(shuffles):
            X[:, columns] = kept[rng.permutation(len(X))]
            losses[turn, number] = sign * (whole - _scores(predict(X), y, metric))
        X[:, columns] = kept
    return Shuffled(whole=whole, losses=losses, n=len(X))


def _scores(found: Predictions, y: Values, metric: Metric) -> Values:
    scores = np.full(y.shape[1], np.nan)
    for number in range(y.shape[1]):
        known = np.isfinite(y[:, number])
        if known.any():
            p = None if found.probabilities is None else found.probabilities[number][known]
            scores[number] = metric.compute(y[known, number], found.values[known, number], p)
    return scores


def single_features(names: Sequence[str], X: NDArray[Any], y: Values, most: int) -> dict[str, Any]:
    """Groups of single features; columns of one name go together. Of more than `most` names those
    that correlate most with the targets.
    """
    features = np.asarray(names)
    chosen = list(dict.fromkeys(names))
    if len(chosen) > most:
        order = np.argsort(-_correlation(X, y), kind="stable")
        chosen = list(dict.fromkeys(str(features[i]) for i in order))[:most]
    return {name: np.flatnonzero(features == name) for name in chosen}


def _correlation(X: NDArray[Any], y: Values) -> Values:
    """(width,) mean over the targets of |Pearson's r|; 0 where it is not defined."""
    total = np.zeros(X.shape[1])
    for number in range(y.shape[1]):
        known = np.flatnonzero(np.isfinite(y[:, number]))[:_CORRELATED]
        if len(known) > 1:
            total += _pearson(X[known].astype(np.float64), y[known, number])
    return total


def _pearson(X: Values, y: Values) -> Values:
    with np.errstate(all="ignore"):
        X = X - np.nanmean(np.where(np.isfinite(X), X, np.nan), axis=0)
        X[~np.isfinite(X)] = 0.0
        centred = y - y.mean()
        r = np.abs(centred @ X) / np.sqrt((X**2).sum(axis=0) * (centred**2).sum())
    return np.asarray(np.nan_to_num(r, nan=0.0, posinf=0.0))
