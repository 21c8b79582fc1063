"""How things look in a terminal: tables, problems, the next useful command."""

import json
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from retort import figures
from retort.config import find_config
from retort.errors import RetortError
from retort.figures import figure, main_metric
from retort.records import Json

__all__ = ["complain", "figure", "main_metric"]

#: all but line feed and tabulator
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: where nobody looks at a screen, lines are not folded
_WIDE = 250
out = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
err = Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _WIDE)


def complain(error: RetortError) -> None:
    """What is wrong, in which fields, what to do, and where an operator finds it."""
    tell(error.detail, "red")
    for field in error.fields[:10]:
        tell(f"  {field['pointer']}: {field['detail']}")
    if len(error.fields) > 10:
        tell(f"  and {len(error.fields) - 10} more")
    if error.remedy:
        tell(f"→ {error.remedy}")
    if error.request_id:
        tell(f"  request {error.request_id}", "dim")
    if error.page:
        tell(f"  {_absolute(error.page)}", "dim")


def _absolute(page: str) -> str:
    try:
        origin = find_config().url.rstrip("/").removesuffix("/api/v1")
    except RetortError:
        return page
    return origin + page if page.startswith("/") else page


def as_json(value: Any) -> None:
    out.print_json(json.dumps(value, default=str))


def clean(text: str) -> str:
    """Without control characters: names and SMILES come from files of anybody, and a terminal obeys
    escape sequences.
    """
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def say(text: str) -> None:
    """A line as it is: brackets are no markup, long lines are not folded."""
    out.print(clean(text), markup=False, soft_wrap=True)


def tell(text: str, style: str | None = None) -> None:
    """The same, to stderr."""
    err.print(clean(text), style=style, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    tell(f"warning: {text}", "yellow")


def next_(*commands: Sequence[str]) -> None:
    """`next: retort ...` ready to paste."""
    say("next: " + "   |   ".join(shlex.join(["retort", *words]) for words in commands))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    shown = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(_cell(cell) for cell in row))
    out.print(shown)


def _cell(cell: Any) -> Any:
    from rich.text import Text

    return Text("" if cell is None else clean(str(cell)))


def listing(items: Sequence[Mapping[str, Any]], columns: Sequence[str], *, plain: bool) -> None:
    """JSON, or the named fields as a table."""
    if plain:
        as_json(items)
    else:
        table("", columns, [[_short(item.get(name)) for name in columns] for item in items])


def _short(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, default=str)
    return value


def show_report(ref: str, report: Json) -> None:
    """Row accounting with reasons, conflicts, columns."""
    say(f"{ref}  {figures.accounting(report['counts'])}")
    for reason, number in (report.get("reasons") or {}).items():
        say(f"  {number:6} x {reason}")
    for column, number in (report.get("bad_cells") or {}).items():
        say(f"  {number:6} x a cell of {column!r} cannot be read, so its value is missing")
    if conflicts := (report.get("duplicates") or {}).get("conflicts"):
        one = conflicts == 1
        said = "group of replicates disagrees" if one else "groups of replicates disagree"
        say(f"  {conflicts} {said} (retort data report {ref} --json)")
    for note in report.get("notes") or []:
        say(f"  {note}")
    rows = [(c["name"], c["role"], c["type"], c.get("unit")) for c in report["columns"]]
    table("", ("column", "role", "type", "unit"), rows)


def show_preview(found: Json) -> None:
    """What would be read, and how to say it otherwise."""
    facts = [f"{found['format']}, {found['kind']}"]
    known = ("encoding", "separator", "decimal")
    facts += [f"{name} {found[name]!r}" for name in known if found.get(name)]
    say(f"read as {', '.join(facts)}; from the first {found['rows_sampled']} rows:")
    rows = [
        (c["name"], c["role"], c["type"], c.get("unit"), c["missing"], ", ".join(c["examples"][:3]))
        for c in found["columns"][:50]
    ]
    table("", ("column", "role", "type", "unit", "missing", "examples"), rows)
    for note in found["notes"]:
        say(f"  {note}")
    say("otherwise: --target COLUMN, --smiles COLUMN, --role COLUMN=ROLE, --kind table|molecule")


def show_model(model: Json) -> None:
    """Test metrics of each target beside the baseline."""
    aliases = "".join(f" @{alias}" for alias in model.get("aliases") or [])
    say(f"{model['ref']}{aliases}  {model['algorithm']}, {model['task']}")
    table("", ("target", "metric", "test [95 %]", "baseline"), figures.metric_rows(model))


def show_predictions(items: Sequence[Mapping[str, Any]]) -> None:
    rows = (row for item in items for row in _prediction_rows(item))
    headers = ("input", "prediction", "90 %", "confidence", "nearest", "target or reason")
    table("", headers, rows)


def _prediction_rows(item: Mapping[str, Any]) -> list[Sequence[Any]]:
    given = item["input"] if isinstance(item["input"], str) else json.dumps(item["input"])
    if item["status"] == "error":
        return [(given, "-", "", "", "", item["reason"])]
    nearest = figures.nearest(item.get("domain"))
    return [
        (given, *figures.answer(found), figures.confidence(found), nearest, name)
        for name, found in item["targets"].items()
    ]
