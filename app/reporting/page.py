"""The report as one page to send to a colleague: no script, nothing loaded from anywhere."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from app.metrics.evaluate import default_metric
from app.pages.charts import histogram, shares
from app.pages.molecules import drawn
from app.pages.policy import CONTENT_SECURITY_POLICY
from app.pages.rendering import page_template
from app.reporting import reproduce
from app.reporting.class_plots import class_plots
from app.reporting.confidence import (
    confidence_plots,
    confident_half,
    coverage_table,
    nominal_level,
    similarity_plots,
)
from app.reporting.drawn import Drawn
from app.reporting.importance import HASHED, WARNING, importance, shuffled
from app.reporting.number_plots import number_plots
from app.reporting.qmrf import principles
from app.reporting.statements import (
    caveats,
    code_words,
    domain_words,
    headline,
    leaks,
    noise_ceiling,
    predicts,
    row_counts,
)
from app.reporting.stored import PARTS, StoredModel
from app.reporting.verdict import RULE, WORDS, judge, judge_all
from app.reporting.wording import metric_facts, metric_label, percent, said, with_interval
from app.reporting.worst import worst_rows

#: targets with plots; of more there is the table
_MAX_PLOTTED = 24
_BINS = 24


def render_page(model: StoredModel) -> str:
    verdict = judge_all(model)
    page: str = _template().render(
        csp=CONTENT_SECURITY_POLICY,
        model=model,
        manifest=model.manifest,
        predicts=predicts(model),
        headline=headline(model),
        verdict=verdict,
        grade=WORDS[verdict.grade],
        rule=RULE,
        caveats=caveats(model),
        n=model.section("n"),
        learned_rows=_learned_rows(model),
        row_counts=row_counts(model),
        refusals=model.section("rows").get("reasons") or {},
        similarity=model.section("similarity"),
        held=model.held_part.replace("_", " "),
        leaks=leaks(model),
        audit=model.section("leaks"),
        targets=[_target(model, target) for target in model.targets],
        plotted=[_plotted(model, target) for target in model.targets[:_MAX_PLOTTED]],
        worst=drawn(worst_rows(model)),
        domain=domain_words(model),
        near=_near(model),
        importance=importance(model),
        importance_warning=WARNING,
        shuffled=shuffled(model),
        hashed=HASHED,
        principles=principles(model),
        code=code_words(model),
        command=reproduce.command(model),
        python=reproduce.python(model),
    )
    return page


@lru_cache(maxsize=1)
def _template() -> Any:
    return page_template(
        Path(__file__).parent / "templates",
        "model.html",
        said=said,
        percent=percent,
        interval=with_interval,
        metric=metric_label,
    )


def _target(model: StoredModel, target: str) -> dict[str, Any]:
    """One line of the table of targets, and its table of metrics."""
    verdict = judge(model, target)
    return {
        "name": target,
        "unit": model.unit(target),
        "verdict": verdict,
        "grade": WORDS[verdict.grade],
        "n": model.rows(target, "test").n,
        "metrics": _metrics(model, target),
        "ceiling": noise_ceiling(model, target),
    }


def _metrics(model: StoredModel, target: str) -> list[dict[str, Any]]:
    """[{name, about, better, test, baseline, held}], the one of the headline first."""
    found = {part: model.section(part, target) for part in ("test", "baseline")}
    found["held"] = model.section(model.held_part, target)
    lines = []
    first = default_metric(model.task)
    for name in sorted(found["test"], key=lambda name: name != first):
        about, better = metric_facts(name)
        figures = {part: figures.get(name) for part, figures in found.items()}
        lines.append({"name": name, "about": about, "better": better, **figures})
    return lines


def _plotted(model: StoredModel, target: str) -> dict[str, Any]:
    test, unit = model.rows(target, "test"), model.unit(target)
    report = model.section("report", target)
    found = {"name": target, "unit": unit, "n": test.n, "plots": _plots(model, target)}
    return found | {
        "spread": _spread(model, target),
        "matrix": report.get("confusion_matrix"),
        "classes": _class_lines(report),
        "residuals": report.get("residuals"),
        "coverage": coverage_table(model, target),
        "level": nominal_level(model, target),
        "half": confident_half(model, target),
        "uncertainty": model.section("uncertainty", target),
    }


def _plots(model: StoredModel, target: str) -> list[Drawn]:
    rows = model.rows(target, "test")
    if not rows.n:
        return []
    unit = model.unit(target)
    if model.is_classification:
        found = class_plots(rows, model.classes(target))
    else:
        found = number_plots(rows, target, unit)
    return found + confidence_plots(rows, unit)


def _near(model: StoredModel) -> list[Drawn]:
    """Similarity to training molecules, by the target with most test rows."""
    rows = [(model.rows(target, "test"), target) for target in model.targets]
    most, target = max(rows, key=lambda pair: pair[0].n)
    return similarity_plots(most, model.unit(target))


def _class_lines(report: Any) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each class."""
    labels = (report.get("confusion_matrix") or {}).get("labels") or []
    lines = report.get("classification_report") or {}
    return [
        {"name": label, **lines[label]} for label in labels if isinstance(lines.get(label), dict)
    ]


def _spread(model: StoredModel, target: str) -> dict[str, Any]:
    """The measured values of all stored rows: a histogram, or the share of each class."""
    values = np.concatenate([model.rows(target, part).measured for part in PARTS])
    words = model.classes(target)
    if words:
        counts = np.bincount(values.astype(int), minlength=len(words))
        ranked = sorted(zip(words, counts.tolist(), strict=True), key=lambda pair: -pair[1])
        return {"n": len(values), "shares": shares(dict(ranked), len(values)), "chart": None}
    facts: dict[str, Any] = {"n": len(values), "shares": None, "chart": None}
    if not len(values):
        return facts
    counts, edges = np.histogram(values, bins=_BINS)
    binned = {"histogram": {"counts": counts.tolist(), "edges": edges.tolist()}}
    return facts | {
        "chart": histogram(binned, width=640, height=150),
        "low": float(values.min()),
        "median": float(np.median(values)),
        "high": float(values.max()),
        "mean": float(values.mean()),
        "std": float(values.std()),
    }


def _learned_rows(model: StoredModel) -> int:
    n = model.section("n")
    return sum(n.get(part, 0) for part in model.manifest.get("learned") or ["train"])
