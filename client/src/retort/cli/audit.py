"""`retort audit`: who did what, and whether that record is whole."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from retort.cli import show
from retort.cli.options import AsJson, Limit
from retort.cli.session import connect

app = typer.Typer(no_args_is_help=True, help="Who did what (administrators only).")

Principal = Annotated[str | None, typer.Option(help="Who: key:plate-reader.")]
Action = Annotated[str | None, typer.Option(help="What: jobs.cancel; registry: all of registry.*")]
Resource = Annotated[str | None, typer.Option(help="registry/sol: it and all below it.")]
Since = Annotated[str | None, typer.Option(help="7d, 12h, 30m ago, or a time.")]
Until = Annotated[str | None, typer.Option(help="Up to then: 1d, or a time.")]

_AGO = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@app.command("ls")
def ls(
    principal: Principal = None,
    action: Action = None,
    resource: Resource = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Newest first; with --json everything that is kept of each."""
    given = _filters(principal, action, resource, since, until)
    with connect() as client:
        found = list(client.audit.list(limit=limit, **given))
    columns = ("number", "at", "principal", "action", "resource", "ip", "request_id")
    show.listing(found, columns, plain=as_json)


@app.command("export")
def export(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Else to stdout.")] = None,
    format_: Annotated[Literal["csv", "jsonl"], typer.Option("--format", help="csv or jsonl.")] = (
        "jsonl"
    ),
    principal: Principal = None,
    action: Action = None,
    resource: Resource = None,
    since: Since = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """All that match, oldest first. In a CSV, what a spreadsheet would run begins with a quote."""
    given = _filters(principal, action, resource, since, until)
    with connect() as client:
        if output is None:
            client.audit.export(sys.stdout.buffer, format=format_, **given)
            return
        client.audit.export(output, format=format_, **given)
    size = output.stat().st_size
    if as_json:
        show.as_json({"path": str(output), "bytes": size})
        return
    show.say(f"{output}  {size:,} bytes")


@app.command("verify")
def verify(as_json: AsJson = False) -> None:
    """Recompute every hash; exit code 1 when an entry was altered or is gone."""
    with connect() as client:
        found = client.audit.verify()
    if as_json:
        show.as_json(found)
    elif found["unbroken"]:
        anchors = f"compared with {found['anchors']} daily anchors"
        show.say(f"{found['entries']:,} entries, chain unbroken ({anchors})")
    else:
        breach = found["breach"]
        which = f" ({breach['entry_id']})" if breach["entry_id"] else ""
        show.say(f"{found['entries']:,} entries are as they were written")
        show.tell(f"broken at entry {breach['number']:,}{which}: {breach['reason']}", "red")
    if not found["unbroken"]:
        raise typer.Exit(1)


def _filters(
    principal: str | None,
    action: str | None,
    resource: str | None,
    since: str | None,
    until: str | None,
) -> dict[str, str]:
    given = {
        "principal": principal,
        "action": action,
        "resource": resource,
        "since": _moment(since),
        "until": _moment(until),
    }
    return {name: value for name, value in given.items() if value is not None}


def _moment(text: str | None) -> str | None:
    """`7d` is seven days ago; everything else is for the server to read."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    if ago is None:
        return text if "T" in text else f"{text}T00:00:00Z"
    then = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    return then.isoformat()
