"""What an evaluation found, for a terminal."""

from collections.abc import Mapping
from typing import Any

from retort import figures
from retort.cli import show

_TARGETS, _CLASSES, _FEATURES = 20, 12, 10


def show_evaluation(found: Mapping[str, Any]) -> None:
    """Rows, metrics beside the baseline, confusion, classes, the features that matter."""
    rows = found["rows"]
    show.say(
        f"{found['model_ref']} on {found['dataset']} ({found['part']}):"
        f" {rows['total']} rows = {rows['evaluated']} evaluated + {rows['refused']} refused"
    )
    for reason, number in rows["reasons"].items():
        show.say(f"  {number:6} x {reason}")
    means = {name: found.get(name) for name in ("mean", "baseline_mean")}
    metrics = {"test": found["metrics"], "baseline": found["baseline"], **means}
    columns = ("target", "metric", "value [95 %]", "baseline")
    show.table("", columns, figures.metric_rows({"metrics": metrics}, _TARGETS))
    for target, told in list((found.get("noise_ceiling") or {}).items())[:_TARGETS]:
        _show_ceiling(target, told)
    for target, told in list(found["targets"].items())[:_TARGETS]:
        if "confusion_matrix" in told:
            _show_classes(target, told)
    for target, ranked in list(found["feature_importance"]["targets"].items())[:_TARGETS]:
        method = found["feature_importance"]["method"]
        shown = [(name, f"{value:.3f}") for name, value in ranked[:_FEATURES]]
        show.table(f"\n{target}: what counts ({method})", ("feature", "importance"), shown)


def _show_ceiling(target: str, told: Mapping[str, Any]) -> None:
    """What replicates let a perfect model score."""
    best = told.get("ceiling") or {}
    said = ", ".join(f"{name} {figures.figure(of)}" for name, of in best.items())
    show.say(
        f"{target}: noise ceiling {said or 'not known: ' + (told.get('note') or 'no figures')}"
    )


def _show_classes(target: str, told: Mapping[str, Any]) -> None:
    labels, counts = told["confusion_matrix"]["labels"], told["confusion_matrix"]["counts"]
    if len(labels) <= _CLASSES:
        rows = [(label, *of) for label, of in zip(labels, counts, strict=True)]
        columns = (f"{target} is", *(f"predicted {label}" for label in labels))
        show.table("", columns, rows)
    names = ("precision", "recall", "f1-score", "support")
    report = {k: v for k, v in told["classification_report"].items() if isinstance(v, Mapping)}
    rows = [
        (label, *(f"{of[name]:.3f}" for name in names[:3]), of["support"])
        for label, of in list(report.items())[: _CLASSES + 2]
    ]
    show.table("", ("class", *names), rows)
