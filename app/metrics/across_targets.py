"""One number of several targets. Errors of targets in different units are never averaged.

Where something is decided (the best trial, the winner of a comparison, the gate of an alias), the
error of each of several targets is divided by its scale before the mean is taken: the error, by the
same metric, of the trivial baseline, which knows only the mean of the training labels. So each
target counts the same in whatever unit it is measured, 0 is perfect and 1 is worth nothing. Where
something is told, a mean is given only when all targets have one unit and it is stated. Metrics
without a unit, and any metric of one target, are as they are.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from app.metrics.base import Values, metrics


def needs_scales(metric: str, n_targets: int) -> bool:
    """Whether values of several targets can be in different units."""
    return n_targets > 1 and metrics.get(metric).carries_unit()


def relative(metric: str) -> str:
    """What a mean of scaled errors is called."""
    return f"{metric} relative to the baseline"


def one_unit(units: Iterable[str | None]) -> bool:
    """Whether all are stated, and the same."""
    found = set(units)
    return len(found) == 1 and None not in found and "" not in found


def usable_scales(baseline: Values) -> Values:
    """(targets,): NaN where the baseline makes no error, or none is known: its target is left out,
    as nothing can be learned of one that does not vary.
    """
    return np.where(baseline > 0, baseline, np.nan)


def mean_of_defined(values: Sequence[float | None] | Values) -> float:
    """NaN where none is defined."""
    defined = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(defined)) if defined else float("nan")


def over_folds(folds: Sequence[Values]) -> Values:
    """(targets,): mean of each target over the folds where it is defined, else NaN; `folds`:
    (targets,) each.
    """
    return np.array([mean_of_defined(column) for column in np.array(folds, dtype=float).T])
