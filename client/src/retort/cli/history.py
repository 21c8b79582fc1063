"""`retort predictions`: what was predicted before, and how often the cache knew it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from retort import figures
from retort.cli import show
from retort.cli.options import AsJson, DryRun, Limit
from retort.cli.session import connect

app = typer.Typer(no_args_is_help=True, help="Past predictions, and the cache of answers.")

Model = Annotated[str | None, typer.Option(help="A name (all its versions), or name:3.")]
Structure = Annotated[str | None, typer.Option(help="Any SMILES of the molecule.")]
Endpoint = Annotated[str | None, typer.Option("--endpoint", help="Id of an endpoint.")]
Mode = Annotated[str | None, typer.Option(help="live, fallback or shadow.")]
Request = Annotated[str | None, typer.Option("--request", help="X-Request-ID of the request.")]
After = Annotated[str | None, typer.Option("--after", help="Made later than this time.")]
Before = Annotated[str | None, typer.Option("--before", help="Made earlier than this time.")]


@app.command("ls")
def ls(
    model: Model = None,
    structure: Structure = None,
    endpoint: Endpoint = None,
    mode: Mode = None,
    request: Request = None,
    after: After = None,
    before: Before = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Newest first. Stored is what was asked with `retort predict --remember`."""
    given = _filters(model, structure, endpoint, mode, request, after, before)
    with connect() as client:
        found = list(client.past_predictions.list(limit=limit, **given))
    _show(found, as_json=as_json)


@app.command("latest")
def latest(structure: str, as_json: AsJson = False) -> None:
    """What each model said of a molecule when it was last asked."""
    with connect() as client:
        found = client.past_predictions.latest(structure)
    if as_json:
        show.as_json(found)
    else:
        _show(found["items"], as_json=False)


@app.command("show")
def one(prediction_id: str, as_json: AsJson = False) -> None:
    """One by its id; with --json everything that is stored of it."""
    with connect() as client:
        found = client.past_predictions.get(prediction_id)
    show.as_json(found) if as_json else _show([found], as_json=False)


@app.command("rm")
def rm(
    prediction_id: Annotated[str | None, typer.Argument(help="One; else all of a filter.")] = None,
    model: Model = None,
    structure: Structure = None,
    endpoint: Endpoint = None,
    mode: Mode = None,
    request: Request = None,
    after: After = None,
    before: Before = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Delete for ever; with an administrator's key only, and written in the audit log."""
    given = _filters(model, structure, endpoint, mode, request, after, before)
    if (prediction_id is None) == (not given):
        raise typer.BadParameter("name one prediction, or say by --model, --structure, ... which")
    with connect() as client:
        if dry_run:
            shown = client.curl.past_predictions
            show.say(shown.remove(prediction_id) if prediction_id else shown.remove_all(**given))
            return
        what = prediction_id or ", ".join(f"{name} {value}" for name, value in given.items())
        if not yes:
            typer.confirm(f"Delete predictions ({what}) for ever?", abort=True)
        if prediction_id is None:
            count = client.past_predictions.remove_all(**given)
        else:
            client.past_predictions.remove(prediction_id)
            count = 1
    show.as_json({"deleted": count}) if as_json else show.say(f"{count} deleted")


@app.command("cache")
def cache(
    days: Annotated[int, typer.Option(min=1, max=30, help="Of so many days.")] = 7,
    forget: Annotated[
        str | None, typer.Option(help="Forget the answers of this model version (administrators).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How often an answer was in the cache."""
    with connect() as client:
        if forget is not None:
            count = client.past_predictions.forget_answers(forget)
            said = f"{count} answers forgotten"
            show.as_json({"deleted": count}) if as_json else show.say(said)
            return
        found = client.past_predictions.cache_statistics(days)
    if as_json:
        show.as_json(found)
        return
    rows = [(_ref(entry["model"]), *_counts(entry)) for entry in found["models"]]
    since = found["since"] or "today"
    show.table("", ("model", "hits", "misses", "hit rate"), [*rows, ("all", *_counts(found))])
    show.say(f"since {since} (UTC)")


def _filters(
    model: str | None,
    structure: str | None,
    endpoint: str | None,
    mode: str | None,
    request: str | None,
    after: str | None,
    before: str | None,
) -> dict[str, str]:
    given = {
        "model": model,
        "structure": structure,
        "endpoint_id": endpoint,
        "mode": mode,
        "request_id": request,
        "created_after": after,
        "created_before": before,
    }
    return {name: value for name, value in given.items() if value is not None}


def _show(found: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        show.as_json(found)
        return
    headers = ("id", "at", "model", "mode", "structure or input", "target", "prediction", "90 %")
    show.table("", headers, [row for one in found for row in _rows(one)])


def _rows(one: Mapping[str, Any]) -> list[Sequence[Any]]:
    shown = one["structure"] or one["input"].get("smiles") or one["input"].get("features")
    facts = (one["id"], one["created_at"], _ref(one["model"]), one["mode"], shown)
    targets = one["output"].get("targets") or {}
    if not targets:
        return [(*facts, "", "-", one["output"].get("reason"))]
    return [(*facts, name, *figures.answer(found)) for name, found in targets.items()]


def _ref(model: Mapping[str, Any]) -> str:
    return f"{model['name']}:{model['number']}"


def _counts(entry: Mapping[str, Any]) -> tuple[Any, ...]:
    rate = entry["hit_rate"]
    return entry["hits"], entry["misses"], "-" if rate is None else f"{100 * rate:.1f} %"
