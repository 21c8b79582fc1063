"""What lies behind the metrics: confusion matrix and report of classes, residuals of numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import LearningTask, Predictions

Values = NDArray[np.float64]
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def target_reports(
    task: LearningTask, y: Values, predictions: Predictions
) -> dict[str, dict[str, Any]]:
    """Per target, on its labelled rows; y (n, targets). A target without a label is left out.

    Classes: {"confusion_matrix": {"labels", "counts"}, "classification_report"}; numbers:
    {"residuals"}.
    """
    reports: dict[str, dict[str, Any]] = {}
    for number, target in enumerate(task.targets):
        known = np.isfinite(y[:, number])
        if not known.any():
            continue
        true, predicted = y[known, number], predictions.values[known, number]
        if task.is_classification:
            reports[target] = class_report(task.classes[number], true, predicted)
        else:
            reports[target] = {"residuals": residuals(true, predicted)}
    return reports


def class_report(labels: tuple[str, ...], true: Values, predicted: Values) -> dict[str, Any]:
    """As sklearn.metrics.confusion_matrix and classification_report(output_dict=True,
    zero_division=0) over all classes of the model: rows of the matrix are the true classes.

    `labels[i]` is the word of class index i; true and predicted (n,) hold indices.
    """
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, (true.astype(int), predicted.astype(int)), 1)
    right, support = np.diag(counts), counts.sum(axis=1)
    precision = _share(right, counts.sum(axis=0))
    recall = _share(right, support)
    f1 = _share(2 * right, support + counts.sum(axis=0))
    columns = np.column_stack([precision, recall, f1])
    report: dict[str, Any] = {
        label: _line(columns[number], support[number]) for number, label in enumerate(labels)
    }
    n = support.sum()
    weights = support / n
    averages = {
        "accuracy": float(right.sum() / n),
        "macro avg": _line(columns.mean(axis=0), n),
        "weighted avg": _line(weights @ columns, n),
    }
    return {
        "confusion_matrix": {"labels": list(labels), "counts": counts.tolist()},
        # the averages last, as scikit-learn does: they win over a class of the same name
        "classification_report": report | averages,
    }


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Values:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _line(figures: Values, support: int) -> dict[str, float | int]:
    names = ("precision", "recall", "f1-score")
    line: dict[str, float | int] = {
        name: float(value) for name, value in zip(names, figures, strict=True)
    }
    return line | {"support": int(support)}


def residuals(true: Values, predicted: Values) -> dict[str, Any]:
    """Measured minus predicted, in the target's unit: mean (bias), spread, extremes."""
    error = true - predicted
    return {
        "mean": float(error.mean()),
        "std": float(error.std()),
        "min": float(error.min()),
        "max": float(error.max()),
        "quantiles": {f"{q:g}": float(v) for q, v in zip(_QUANTILES, _at(error), strict=True)},
        "n": len(error),
    }


def _at(values: Values) -> Values:
    return np.asarray(np.quantile(values, _QUANTILES), dtype=np.float64)
