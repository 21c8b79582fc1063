"""Metrics and predictions as short texts, for terminals and notebooks alike."""

from collections.abc import Mapping
from typing import Any


def figure(value: Mapping[str, Any] | None) -> str:
    """0.576 [0.51, 0.64]."""
    if not value or value.get("value") is None:
        return "-"
    text = f"{value['value']:.3f}"
    if value.get("ci_low") is not None:
        text += f" [{value['ci_low']:.3f}, {value['ci_high']:.3f}]"
    return text


def main_metric(task: str) -> str:
    return {"regression": "rmse", "binary": "roc_auc"}.get(task, "balanced_accuracy")


def metric_rows(model: Mapping[str, Any], limit: int = 20) -> list[tuple[str, str, str, str]]:
    """(target, metric, test with its interval, baseline) of the first `limit` targets, and of
    several their mean where there is one.
    """
    metrics = model.get("metrics") or {}
    test, baseline = metrics.get("test") or {}, metrics.get("baseline") or {}
    names = sorted({name for found in test.values() for name in found})
    rows = [
        (target, name, figure(found.get(name)), figure(baseline.get(target, {}).get(name)))
        for target, found in list(test.items())[:limit]
        for name in names
    ]
    return rows + _mean_rows(metrics, len(test))


def _mean_rows(metrics: Mapping[str, Any], targets: int) -> list[tuple[str, str, str, str]]:
    mean, baseline = metrics.get("mean") or {}, metrics.get("baseline_mean") or {}
    return [
        (f"mean of {targets}", name, figure(found), figure(baseline.get(name)))
        for name, found in sorted(mean.items())
        if targets > 1 and found.get("value") is not None
    ]


def answer(found: Mapping[str, Any]) -> tuple[str, str]:
    """(prediction, its interval or probability) of one target of one molecule."""
    if found.get("class") is not None:
        return str(found["class"]), f"p = {found['value']:.2f}"
    span = found.get("interval")
    interval = f"[{span[0]:.2f}, {span[1]:.2f}]" if span else ""
    return f"{found['value']:.3f}", interval


def confidence(found: Mapping[str, Any]) -> str:
    """0 to 1, of one target of one molecule."""
    value = found.get("confidence")
    return "" if value is None else f"{value:.2f}"


def nearest(domain: Mapping[str, Any] | None) -> str:
    """Similarity to the nearest training row; `outside` what the model knows enough about."""
    if not domain:
        return ""
    return f"{domain['similarity']:.2f}" + ("" if domain["inside"] else " outside")


def accounting(counts: Mapping[str, Any]) -> str:
    """642 rows in = 640 ok + 1 rejected + 1 merged."""
    names = ("rows_in", "rows_ok", "rows_rejected", "rows_merged")
    taken, ok, rejected, merged = (counts.get(name) for name in names)
    return f"{taken} rows in = {ok} ok + {rejected} rejected + {merged} merged"
