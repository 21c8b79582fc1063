"""How numbers, intervals and metrics are said."""

from collections.abc import Mapping
from typing import Any

from app.core.errors import UnknownName
from app.metrics.base import metrics

_LABELS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "mse": "MSE",
    "r2": "R²",
    "spearman": "Spearman",
    "kendall": "Kendall",
    "roc_auc": "AUROC",
    "average_precision": "AUPRC",
    "matthews_corrcoef": "MCC",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "brier": "Brier score",
    "log_loss": "log loss",
    "bedroc": "BEDROC",
    "expected_calibration_error": "calibration error",
}
_HUNDRED, _TEN, _HUNDREDTH = 100, 10, 0.01


def said(value: float | None) -> str:
    """Three decimals, fewer of large numbers; "not defined" for None and NaN."""
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return "not defined"
    size = abs(value)
    if size >= _HUNDRED:
        return f"{value:,.0f}"
    if size >= _TEN:
        return f"{value:.1f}"
    if 0 < size < _HUNDREDTH:
        return f"{value:.2g}"
    return f"{value:.3f}"


def percent(share: float | None) -> str:
    return "not defined" if share is None else f"{100 * share:.0f} %"


def with_interval(figure: Mapping[str, Any] | None) -> str:
    """`0.571 [0.48, 0.66]`; the value alone without interval."""
    if not figure:
        return "-"
    value = said(figure.get("value"))
    low, high = figure.get("ci_low"), figure.get("ci_high")
    if low is None or high is None or figure.get("value") is None:
        return value
    return f"{value} [{said(low)}, {said(high)}]"


def metric_label(name: str) -> str:
    return _LABELS.get(name, name.replace("_", " "))


def metric_facts(name: str) -> tuple[str, str]:
    """(what it is, which way is better); empty for a metric that this release does not know."""
    try:
        metric = metrics.get(name)
    except UnknownName:
        return "", ""
    better = "lower is better" if metric.direction == "minimize" else "higher is better"
    return str(metric.summary), better


def counted(n: int, one: str, many: str | None = None) -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def listed(names: list[str], most: int = 5) -> str:
    """`a, b and 3 more`."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
