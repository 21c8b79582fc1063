"""Whether a model's intervals, probabilities and domain hold what they say, on rows unseen."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import LearningTask, Predictions
from app.metrics.base import metrics
from app.uncertainty.assessor import LEVEL, Assessment, Assessor

Values = NDArray[np.float64]
_Z = 1.959964  # of a 95 % interval


def assessment_figures(
    assessor: Assessor, y: Values, predicted: Predictions, found: Assessment
) -> dict[str, Any]:
    """{"uncertainty": per target, "domain"} of n rows: y (n, targets) with NaN for no label."""
    errors = _errors(assessor.task, y, predicted)
    uncertainty = {}
    for number, target in enumerate(assessor.task.targets):
        known = np.isfinite(y[:, number])
        if not known.any():
            continue
        figures: dict[str, Any] = {
            "method": assessor.calibration.method,
            "n": assessor.calibration.targets[target].n,
        }
        if assessor.task.is_classification:
            figures |= _probabilities(y[known, number], predicted, number, known)
        else:
            figures |= _intervals(y[known, number], found, number, known)
        figures["confident_half"] = _halves(errors[known, number], found.confidence[known, number])
        uncertainty[target] = figures
    return {"uncertainty": uncertainty, "domain": _domain(assessor, errors, found)}


def _errors(task: LearningTask, y: Values, predicted: Predictions) -> Values:
    """(n, t): |measured - predicted|; of classes 1 where it is wrong. NaN without a label."""
    if not task.is_classification:
        return np.abs(y - predicted.values)
    return np.where(np.isfinite(y), (y != predicted.values).astype(np.float64), np.nan)


def _intervals(
    y: Values, found: Assessment, number: int, known: NDArray[np.bool_]
) -> dict[str, Any]:
    if found.lower is None or found.upper is None:
        return {}
    low, high = found.lower[known, number], found.upper[known, number]
    if not np.isfinite(low).all():
        return {"level": LEVEL, "coverage": None, "mean_width": None}
    inside = int(((y >= low) & (y <= high)).sum())
    return {
        "level": LEVEL,
        "coverage": wilson(inside, len(y)),
        "mean_width": float((high - low).mean()),
    }


def _probabilities(
    y: Values, predicted: Predictions, number: int, known: NDArray[np.bool_]
) -> dict[str, Any]:
    p = (predicted.probabilities or [])[number][known]
    ece = metrics.get("expected_calibration_error")()
    return {"ece": _finite(ece.compute(y, predicted.values[known, number], p))}


def _halves(errors: Values, confidence: Values) -> dict[str, Any]:
    """Mean error of the rows that the model is surer of, and of the others; of an odd number the
    middle one is left out.
    """
    half = len(errors) // 2
    if not half or not np.isfinite(confidence).all():
        return {"error": None, "other_error": None, "ratio": None}
    order = np.argsort(-confidence, kind="stable")
    sure, other = float(errors[order[:half]].mean()), float(errors[order[-half:]].mean())
    return {"error": sure, "other_error": other, "ratio": sure / other if other else None}


def _domain(assessor: Assessor, errors: Values, found: Assessment) -> dict[str, Any]:
    known = assessor.calibration
    figures: dict[str, Any] = {
        "similarity_threshold": known.similarity_threshold,
        "leverage_threshold": known.leverage_threshold,
        "inside": float(found.inside.mean()) if len(errors) else None,
        "error_inside": {},
        "error_outside": {},
    }
    for number, target in enumerate(assessor.task.targets):
        for name, rows in (("error_inside", found.inside), ("error_outside", ~found.inside)):
            there = errors[rows, number]
            there = there[np.isfinite(there)]
            figures[name][target] = {
                "value": float(there.mean()) if len(there) else None,
                "n": len(there),
            }
    return figures


def wilson(successes: int, n: int) -> dict[str, float]:
    """A share with its 95 % interval (Wilson 1927, J. Am. Stat. Assoc. 22, 209)."""
    p, z2 = successes / n, _Z**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z * np.sqrt(p * (1 - p) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    return {"value": p, "ci_low": float(centre - half), "ci_high": float(centre + half)}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
