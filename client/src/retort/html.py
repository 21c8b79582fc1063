"""How things look in a notebook; every text that came from anywhere is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from retort import drawing, figures

_COLOURS = {"succeeded": "#2e7d32", "failed": "#c62828", "cancelled": "#757575"}
_MAX_ROWS = 50


class Drawn(str):
    """Markup of our own making, which is not escaped again."""

    __slots__ = ()


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Drawn:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in rows)
    return Drawn(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _cell(cell: Any) -> str:
    text = cell if isinstance(cell, Drawn) else escape("" if cell is None else str(cell))
    return f"<td style='text-align:left'>{text}</td>"


def bar(percent: float, colour: str) -> Drawn:
    width = min(100.0, max(0.0, percent))
    return Drawn(
        "<div style='width:20em;height:.8em;background:#e0e0e0;border-radius:.4em'>"
        f"<div style='width:{width:.0f}%;height:100%;background:{colour};border-radius:.4em'>"
        "</div></div>"
    )


def job(record: Mapping[str, Any]) -> str:
    """Kind, state, a bar, and the error as a sentence with its remedy."""
    state = str(record.get("state"))
    progress = record.get("progress") or {}
    percent = 100.0 if state == "succeeded" else float(progress.get("percent") or 0)
    note = " ".join(str(progress.get(name) or "") for name in ("stage", "message")).strip()
    parts = [
        f"<b>{escape(str(record.get('kind')))}</b> {escape(state)} {escape(note)}",
        bar(percent, _COLOURS.get(state, "#1565c0")),
        f"<code>{escape(str(record.get('id')))}</code>",
    ]
    if error := record.get("error"):
        parts.append(f"{escape(str(error.get('detail')))}<br>→ {escape(str(error.get('remedy')))}")
    return f"<div>{'<br>'.join(parts)}</div>"


def dataset(record: Mapping[str, Any]) -> str:
    """Row accounting and the columns with their roles."""
    title = f"<b>{escape(str(record.get('ref')))}</b> {escape(str(record.get('state')))}"
    rows = [
        (column.get("name"), column.get("role"), column.get("type"), column.get("unit"))
        for column in (record.get("columns") or [])[:_MAX_ROWS]
    ]
    shown = table(("column", "role", "type", "unit"), rows)
    return f"<div>{title}<br>{escape(figures.accounting(record))}{shown}</div>"


def model(record: Mapping[str, Any]) -> str:
    """Test metrics with their intervals beside the baseline."""
    aliases = "".join(f" @{escape(str(alias))}" for alias in record.get("aliases") or [])
    title = f"<b>{escape(str(record.get('ref')))}</b>{aliases}"
    what = f"{escape(str(record.get('algorithm')))}, {escape(str(record.get('task')))}"
    columns = ("target", "metric", "test [95 %]", "baseline")
    return f"<div>{title} {what}{table(columns, figures.metric_rows(record))}</div>"


def predictions(items: Sequence[Mapping[str, Any]]) -> str:
    """One line per input and target; drawings where RDKit is installed."""
    draw = drawing.available()
    rows: list[Sequence[Any]] = []
    for item in items[:_MAX_ROWS]:
        picture = [Drawn(drawing.svg(item.get("canonical_smiles")))] if draw else []
        given = str(item.get("input"))
        if item["status"] == "error":
            rows.append([*picture, given, item["status"], "", "", "", "", "", item.get("reason")])
        nearest = figures.nearest(item.get("domain"))
        for target, found in (item.get("targets") or {}).items():
            value, interval = figures.answer(found)
            sure = (figures.confidence(found), nearest)
            rows.append([*picture, given, item["status"], target, value, interval, *sure, ""])
    columns = (
        *("input", "status", "target", "prediction", "interval", "confidence", "nearest"),
        "reason",
    )
    more = len(items) - _MAX_ROWS
    note = f"<br>and {more} more" if more > 0 else ""
    return f"<div>{table(('structure', *columns) if draw else columns, rows)}{note}</div>"
