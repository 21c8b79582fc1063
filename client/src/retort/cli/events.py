"""`retort events`: what happened in the project."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from retort.cli import show
from retort.cli.options import AsJson, Limit
from retort.cli.session import connect

app = typer.Typer(no_args_is_help=True, help="What happened in the project.")

Types = Annotated[list[str] | None, typer.Option("--type", help="Only of this type; repeatable.")]
Subject = Annotated[str | None, typer.Option(help="Only of this, e.g. jobs/<id>.")]
Correlation = Annotated[str | None, typer.Option("--correlation", help="Only of this correlation.")]
Since = Annotated[str | None, typer.Option(help="Only from this time on.")]


@app.command("ls")
def ls(
    types: Types = None,
    subject: Subject = None,
    correlation: Correlation = None,
    since: Since = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Newest first."""
    with connect() as client:
        found = list(
            client.events.list(
                type=types, subject=subject, correlation_id=correlation, since=since, limit=limit
            )
        )
    if as_json:
        show.as_json(found)
        return
    rows = [(one["time"], one["type"], one["subject"], _short(one["data"])) for one in found]
    show.table("", ("time", "type", "subject", "data"), rows)


@app.command("tail")
def tail(
    types: Types = None,
    subject: Subject = None,
    correlation: Correlation = None,
    since: Since = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    as_json: AsJson = False,
) -> None:
    """As they happen, until Ctrl-C."""
    seen = 0
    with connect() as client:
        for event in client.events.follow(
            type=types, subject=subject, correlation_id=correlation, since=since
        ):
            one = event.data
            if as_json:
                show.as_json(one)
            else:
                show.say(f"{one['time']} {one['type']} {one['subject']} {_short(one['data'])}")
            sys.stdout.flush()
            seen += 1
            if seen == limit:
                return


@app.command("types")
def types_(as_json: AsJson = False) -> None:
    """Every type of event."""
    with connect() as client:
        found = client.events.types()
    if as_json:
        show.as_json(found)
        return
    rows = [(one["type"], "yes" if one["sent"] else "no", one["description"]) for one in found]
    show.table("", ("type", "sent", "when"), rows)


@app.command("schema")
def schema(
    type_: Annotated[str, typer.Argument(metavar="TYPE")],
    version: int = 1,
    as_json: AsJson = True,
) -> None:
    """The JSON Schema of a type."""
    del as_json  # it is nothing else
    with connect() as client:
        show.as_json(client.events.schema(type_, version))


@app.command("asyncapi")
def asyncapi(as_json: AsJson = True) -> None:
    """The AsyncAPI document."""
    del as_json  # it is nothing else
    with connect() as client:
        show.as_json(client.events.asyncapi())


def _short(data: Mapping[str, Any]) -> str:
    """What one wants to see of it at a glance."""
    named = ("kind", "state", "model", "name", "version", "message", "reason", "counts")
    return ", ".join(f"{name} {data[name]}" for name in named if data.get(name) is not None)
