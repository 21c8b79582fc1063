"""The best figures that any model could reach, since the measurements themselves scatter.

Replicates tell the experimental standard deviation; a model that knew every true value would still
miss the measured ones by it (Brown, Muchmore & Hajduk 2009; Kramer, Kalliokoski, Gedeck & Vulpetti
2012). Structures whose values are all equal may be one record entered twice and are left out of
the deviation, as Kramer et al. leave them out; the figure with them is given beside it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.metrics.base import Values, metrics
from app.metrics.evaluate import Figure

Counts = NDArray[np.int64]

_METRICS = ("rmse", "mae", "r2", "spearman")
_SIMULATIONS = 200
_RESAMPLES = 1000
_TAIL = 0.025
#: fewer differences between replicates than this are no estimate
_MIN_DEGREES = 5


def ceiling_of_numbers(
    n: Counts, std: Values, y: Values, values_of_label: Counts, *, seed: int
) -> dict[str, Any]:
    """`n` (g,) and `std` (g,): values and sample standard deviation of each replicated structure.
    y (r,): the labels on which a model is judged; values_of_label (r,): how many values each is the
    mean of.

    `std`: pooled, 95 % by resampling structures; `ceiling`: of the perfect model, from 200
    simulated sets of labels, null with fewer than 5 degrees of freedom.
    """
    differ = std > 0
    degrees = int(np.sum(n[differ] - 1))
    facts = {
        "structures": len(n),
        "values": int(n.sum()),
        "equal": int(np.sum(~differ)),
        "degrees_of_freedom": degrees,
        "std_with_equal": _pooled(n, std) if len(n) else None,
    }
    if degrees < _MIN_DEGREES:
        note = f"{degrees} differences between replicates are too few to tell the noise"
        return facts | {"std": None, "ceiling": None, "note": note}
    rng = np.random.default_rng(seed)
    sigma = _figure_of_std(n[differ], std[differ], rng)
    noise = float(sigma["value"] or 0.0) / np.sqrt(values_of_label)
    return facts | {
        "std": sigma,
        "ceiling": _simulated(y, noise, rng) if len(y) > 1 else None,
        "note": None,
    }


def ceiling_of_classes(n: Counts, agreement: Values, n_classes: int) -> dict[str, Any]:
    """`agreement` (g,): share of the pairs of replicates that agree, of `n` (g,) values.

    `accuracy`: of a model that knows the true class, against single measurements, when a
    measurement errs with one probability e and then gives any other class alike: pairs agree with
    (1 - e)^2 + e^2 / (classes - 1).
    """
    weights = n - 1
    degrees = int(weights.sum())
    found = float(weights @ agreement / degrees) if degrees else None
    facts: dict[str, Any] = {
        "structures": len(n),
        "values": int(n.sum()),
        "degrees_of_freedom": degrees,
        "agreement": found,
    }
    if found is None or degrees < _MIN_DEGREES:
        note = f"{degrees} comparisons of replicates are too few to tell the noise"
        return facts | {"ceiling": None, "note": note}
    accuracy = _right(found, n_classes)
    figure = Figure(value=accuracy, ci_low=None, ci_high=None)
    return facts | {"ceiling": {"accuracy": figure}, "note": None}


def _pooled(n: Counts, std: Values) -> float:
    return float(np.sqrt(np.sum((n - 1) * std**2) / np.sum(n - 1)))


def _figure_of_std(n: Counts, std: Values, rng: np.random.Generator) -> Figure:
    draws = rng.integers(0, len(n), (_RESAMPLES, len(n)))
    weights = n - 1
    resampled = np.sqrt(
        np.sum(weights[draws] * std[draws] ** 2, axis=1) / np.sum(weights[draws], axis=1)
    )
    low, high = np.quantile(resampled, [_TAIL, 1 - _TAIL])
    return Figure(value=_pooled(n, std), ci_low=float(low), ci_high=float(high))


def _simulated(y: Values, noise: Values, rng: np.random.Generator) -> dict[str, Figure]:
    """Labels are truth plus noise: the truth is y drawn together so far that truth and noise have
    the variance of y. What the truth scores against each simulated set of labels.
    """
    kept = max(0.0, 1.0 - float(np.mean(noise**2)) / float(np.var(y))) if np.var(y) else 0.0
    truth = y.mean() + np.sqrt(kept) * (y - y.mean())
    scores: dict[str, list[float]] = {name: [] for name in _METRICS}
    for _ in range(_SIMULATIONS):
        measured = truth + rng.normal(size=len(y)) * noise
        for name in _METRICS:
            scores[name].append(metrics.get(name)().compute(measured, truth, None))
    return {name: _figure(np.array(values)) for name, values in scores.items()}


def _figure(scores: Values) -> Figure:
    defined = scores[np.isfinite(scores)]
    if not len(defined):
        return Figure(value=None, ci_low=None, ci_high=None)
    low, high = np.quantile(defined, [_TAIL, 1 - _TAIL])
    return Figure(value=float(defined.mean()), ci_low=float(low), ci_high=float(high))


def _right(agreement: float, n_classes: int) -> float:
    """1 - e of the larger root; chance where pairs agree less often than by chance."""
    others = n_classes - 1
    root = max(0.0, 1.0 - (1.0 - agreement) * n_classes / others)
    return (1.0 + others * float(np.sqrt(root))) / n_classes
