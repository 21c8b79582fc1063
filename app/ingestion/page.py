"""The report as one page to send to a colleague: no script, nothing loaded from anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.pages.charts import histogram, shares
from app.pages.molecules import drawn
from app.pages.policy import CONTENT_SECURITY_POLICY
from app.pages.rendering import page_template

_MAX_TARGETS = 4
_MAX_VALUES = 4
_MAX_CONFLICTS = 24
_MAX_SCAFFOLDS = 12

#: what standardization did, as a sentence
_CHANGES = {
    "largest_fragment": "had salts, solvents or other fragments taken off",
    "neutralized": "were neutralized",
    "normalized": "had functional groups written in the standard way",
    "reionized": "had charges moved to the right acid",
    "metal_disconnected": "had metals disconnected",
}


@dataclass(frozen=True, kw_only=True)
class Source:
    """What the page names beside the report itself."""

    #: name and version of the data set
    ref: str
    file_name: str
    file_sha256: str
    #: of clean.parquet
    sha256: str
    #: when it was read
    at: str


def render_page(source: Source, report: Mapping[str, Any]) -> str:
    molecules = report["molecules"]
    page: str = _template().render(
        source=source,
        report=report,
        csp=CONTENT_SECURITY_POLICY,
        counts=report["counts"],
        what="molecules" if report["kind"] == "molecule" else "rows",
        segments=_segments(report["counts"]),
        changes=[
            (_CHANGES.get(name, name.replace("_", " ")), number)
            for name, number in report["changes"].items()
        ],
        columns=[_column(column, report) for column in report["columns"]],
        notes=[note for note in report["notes"] if note != "gzip"],
        **_targets(report),
        molecules=molecules,
        examples=_examples(molecules["examples"]["molecules"]) if molecules else [],
        scaffolds=drawn(molecules["scaffolds"]["top"][:_MAX_SCAFFOLDS]) if molecules else [],
        conflicts=drawn(report["duplicates"]["named"][:_MAX_CONFLICTS]),
    )
    return page


@lru_cache(maxsize=1)
def _template() -> Any:
    return page_template(Path(__file__).parent / "templates", "report.html")


def _segments(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """The accounting bar: every row of the file is in one of them."""
    total = max(counts["rows_in"], 1)
    named = (("ok", "kept"), ("merged", "merged"), ("rejected", "refused"))
    return [
        {
            "name": name,
            "label": label,
            "rows": counts[f"rows_{name}"],
            "percent": 100 * counts[f"rows_{name}"] / total,
        }
        for name, label in named
    ]


def _column(column: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    """One line of the column table; figures for targets and features."""
    name = column["name"]
    facts = report["targets"].get(name) or report["statistics"].get(name)
    return {
        **column,
        "name": "structure (SDF)" if name == "__structure__" else name,
        "unit": column.get("unit"),
        "facts": facts,
        "bad_cells": report["bad_cells"].get(name, 0),
        "constant": name in report["constant"],
        "shares": shares(facts["classes"], facts["n"]) if facts and "classes" in facts else None,
        "spark": histogram(facts, width=120, height=22, axis=False)
        if facts and "histogram" in facts
        else None,
    }


def _targets(report: Mapping[str, Any]) -> dict[str, Any]:
    """The first targets with a chart each; of many classes the column table has small ones."""
    shown = list(report["targets"].items())[:_MAX_TARGETS]
    histograms = [
        {"name": name, "facts": facts, "chart": histogram(facts, width=640, height=170)}
        for name, facts in shown
        if "histogram" in facts
    ]
    classes = [
        {"name": name, "facts": facts, "shares": shares(facts["classes"], facts["n"])}
        for name, facts in shown
        if facts.get("classes") and len(report["targets"]) <= _MAX_TARGETS
    ]
    hidden = len(report["targets"]) - len(histograms) - len(classes)
    return {"histograms": histograms, "class_targets": classes, "hidden_targets": hidden}


def _examples(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`active`: of many 0/1 targets those that are 1; else `shown`, the first values."""
    examples = []
    for entry in drawn(entries):
        known = [(name, value) for name, value in entry["values"].items() if value is not None]
        flags = len(known) > _MAX_VALUES and all(value in ("0", "1") for _, value in known)
        entry["active"] = [name for name, value in known if value == "1"] if flags else None
        examples.append(entry | {"shown": known[:_MAX_VALUES], "known": len(known)})
    return examples
