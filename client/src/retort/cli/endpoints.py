"""`retort endpoint`: serve model versions under a name, and change them without a gap."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from retort.cli import show
from retort.cli.options import AsJson, DryRun, Settings, settings
from retort.cli.session import connect
from retort.records import Json

app = typer.Typer(no_args_is_help=True, help="Names that route predictions to model versions.")

Note = Annotated[str, typer.Option(help="Why.")]


@app.command("apply")
def apply(
    file: Annotated[str, typer.Argument(help="JSON or YAML: {name, routes, ...}; - is stdin.")],
    note: Note = "",
    new: Annotated[bool, typer.Option("--new", help="Fail if there is one already.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make the endpoint as the file says; the same again changes nothing."""
    spec = _read(file)
    name = spec.pop("name", None)
    if not isinstance(name, str):
        raise typer.BadParameter(f"{file} does not say the endpoint's `name`")
    with connect() as client:
        if dry_run:
            show.say(client.curl.endpoints.put(name, spec, note=note))
            return
        make = client.endpoints.create if new else client.endpoints.apply
        found = make(name, spec, note=note)
    _tell(found, as_json=as_json)


@app.command("ls")
def ls(as_json: AsJson = False) -> None:
    """By name."""
    with connect() as client:
        found = list(client.endpoints.list())
    if as_json:
        show.as_json(found)
        return
    rows = [(e["name"], e["revision"]["number"], _routes(e["revision"])) for e in found]
    show.table("", ("endpoint", "revision", "routes"), rows)


@app.command("show")
def one(name: str, as_json: AsJson = False) -> None:
    """What it serves now."""
    with connect() as client:
        found = client.endpoints.get(name)
    _tell(found, as_json=as_json)


@app.command("set")
def set_(
    name: str,
    fields: Settings = None,
    note: Note = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change some fields: --set deadline_ms=300 --set cache=false."""
    said = settings(fields)
    if not said:
        raise typer.BadParameter("say what to change: --set name=value")
    with connect() as client:
        if dry_run:
            show.say(client.curl.endpoints.update(name, note=note, **said))
            return
        found = client.endpoints.update(name, note=note, **said)
    _tell(found, as_json=as_json)


@app.command("rollback")
def rollback(
    name: str,
    to: Annotated[int | None, typer.Option(help="Left out: the revision before.")] = None,
    note: Note = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Serve an earlier revision again, with the versions that it had."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.endpoints.rollback(name, to, note=note))
            return
        found = client.endpoints.rollback(name, to, note=note)
    _tell(found, as_json=as_json)


@app.command("rm")
def rm(name: str, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Archive it: it answers no more; its revisions are kept."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.endpoints.archive(name))
            return
        client.endpoints.archive(name)
    show.as_json({"archived": name}) if as_json else show.say(f"{name} answers no more")


@app.command("revisions")
def revisions(
    name: str,
    number: Annotated[int | None, typer.Argument(help="Only this one, whole.")] = None,
    as_json: AsJson = False,
) -> None:
    """Who changed what, when, why; newest first."""
    with connect() as client:
        if number is not None:
            show.as_json(client.endpoints.revision(name, number))
            return
        found = client.endpoints.revisions(name)
    columns = ("number", "active", "reason", "created_by", "created_at", "note", "restores")
    show.listing(found, columns, plain=as_json)


@app.command("canary")
def canary(name: str, as_json: AsJson = False) -> None:
    """How far its canary is, and what it waits for."""
    with connect() as client:
        found = client.endpoints.canary(name)
    if as_json:
        show.as_json(found)
        return
    paused = ", paused" if found["paused"] else ""
    show.say(f"{found['model']} gets {found['share']:g} %{paused}, {found['requests']} requests")
    for why in found["waits_for"]:
        show.say(f"  waits: {why}")
    columns = ("guard", "verdict", "value", "limit", "detail")
    show.table("", columns, [[guard.get(c) for c in columns] for guard in found["guards"]])


@app.command("step")
def step(
    name: str,
    action: Annotated[str, typer.Option(help="step, pause, resume or abort")] = "step",
    note: Note = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """The canary's next step, whatever its guards say; or pause, resume, abort it."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.endpoints.act(name, action, note=note))
            return
        found = client.endpoints.act(name, action, note=note)
    _tell(found, as_json=as_json)


@app.command("metrics")
def metrics(
    name: str,
    minutes: Annotated[int, typer.Option(min=1, help="Of the last so many.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Requests, errors and latencies of each arm."""
    with connect() as client:
        found = client.endpoints.metrics(name, minutes=minutes)
    show.as_json(found) if as_json else _arms(found["arms"])


@app.command("compare")
def compare(
    name: str,
    baseline: Annotated[
        str | None, typer.Option(help="A model; left out: the first route's.")
    ] = None,
    minutes: Annotated[
        int | None,
        typer.Option(help="Over the last minutes; left out: over the active revision."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The arms side by side, and which differences are real."""
    with connect() as client:
        found = client.endpoints.compare(name, baseline, minutes=minutes)
    if as_json:
        show.as_json(found)
        return
    _arms(found["arms"])
    for pair in found["comparisons"]:
        show.say(f"{pair['second']} ({pair['mode']}) against {pair['first']}:")
        for said in pair["conclusion"]:
            show.say(f"  {said}")


@app.command("outcomes")
def outcomes(
    name: str,
    file: Annotated[str, typer.Argument(help="JSON: [{structure, target, measured}]; - is stdin.")],
    as_json: AsJson = False,
) -> None:
    """Tell what was measured of things that it predicted."""
    found = _read(file)
    items = found.get("outcomes", found) if isinstance(found, dict) else found
    with connect() as client:
        answer = client.endpoints.outcomes(name, items)
    show.as_json(answer) if as_json else show.say(f"{answer['stored']} outcomes stored")


def _read(file: str) -> Any:
    text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    if file.endswith((".yaml", ".yml")):
        try:
            import yaml
        except ImportError as error:
            raise typer.BadParameter("YAML needs `pip install pyyaml`; or write JSON") from error
        return yaml.safe_load(text)
    try:
        return json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{file} is no JSON: {error}") from error


def _tell(endpoint: Json, *, as_json: bool) -> None:
    if as_json:
        show.as_json(endpoint)
        return
    revision = endpoint["revision"]
    show.say(f"{endpoint['name']}, revision {revision['number']} ({revision['reason']})")
    show.say(f"  {_routes(revision)}")
    if revision["canary"]:
        model = revision["spec"]["canary"]["model"]
        show.say(f"  canary {model} at {revision['canary']['share']:g} %")
        show.next_(("endpoint", "canary", endpoint["name"]))


def _routes(revision: Json) -> str:
    """`sol:1 90 %, sol:2 10 %, sol:3 shadow`."""
    shares = revision["shares"]
    told = []
    for route in revision["spec"]["routes"]:
        if route.get("mode", "live") == "shadow":
            told.append(f"{route['model']} shadow")
        else:
            told.append(
                f"{route['model']} {shares.get(route['model'], route.get('weight')) or 0:g} %"
            )
    return ", ".join(told)


def _arms(arms: list[Json]) -> None:
    columns = ("model", "mode", "requests", "errors", "p50_ms", "p95_ms", "p99_ms", "cached_share")
    rows = [[_short(arm.get(column)) for column in columns] for arm in arms]
    show.table("", columns, rows)


def _short(value: Any) -> Any:
    return f"{value:.3g}" if isinstance(value, float) else value
