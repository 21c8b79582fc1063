"""`retort models`: versions, names, aliases, files."""

from pathlib import Path
from typing import Annotated

import typer

from retort import NotFound, Retort
from retort.cli import show
from retort.cli.options import AsJson, DryRun, Limit
from retort.cli.session import connect

app = typer.Typer(no_args_is_help=True, help="Model versions and their names.")

Alias = Annotated[str, typer.Option(help="The alias to point.")]


@app.command("ls")
def ls(
    name: Annotated[str | None, typer.Option(help="Versions of this name.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Newest first."""
    with connect() as client:
        found = list(client.models.list(name, limit=limit))
    if as_json:
        show.as_json(found)
        return
    rows = []
    for model in found:
        metric = show.main_metric(model.task)
        value = (model.metrics.get("mean") or {}).get(metric, {}).get("value")
        said = "-" if value is None else f"{metric} {value:.3f}"
        rows.append((model.ref, model["algorithm"], said, ", ".join(model.aliases)))
    show.table("", ("model", "algorithm", "test", "aliases"), rows)


@app.command("show")
def one(ref: str, as_json: AsJson = False) -> None:
    """Metrics with intervals, beside the baseline."""
    with connect() as client:
        model = client.models.get(ref)
    if as_json:
        show.as_json(model)
    else:
        show.show_model(model)


@app.command("promote")
def promote(
    ref: Annotated[str, typer.Argument(help="name:version")],
    alias: Alias = "champion",
    note: Annotated[str, typer.Option(help="Why.")] = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Point an alias to a version."""
    name, _, version = ref.partition(":")
    if not version.isdigit():
        raise typer.BadParameter("write name:version, e.g. esol:3")
    with connect() as client:
        if dry_run:
            show.say(client.curl.models.promote(ref, alias=alias, note=note))
            return
        entry = client.models.promote(ref, alias=alias, note=note)
    show.as_json(entry) if as_json else show.say(f"{name}@{alias} is {ref} now")


@app.command("rollback")
def rollback(
    name: str,
    alias: Alias = "champion",
    to: Annotated[int | None, typer.Option(help="Left out: the version before.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Point an alias back to an earlier version."""
    with connect() as client:
        version = _version_before(client, name, alias) if to is None else to
        if dry_run:
            show.say(client.curl.models.promote(f"{name}:{version}", alias=alias))
            return
        entry = client.models.promote(name, version, alias, note="rolled back")
    show.as_json(entry) if as_json else show.say(f"{name}@{alias} is {name}:{version} again")


def _version_before(client: Retort, name: str, alias: str) -> int:
    entry = client.registry[name].get()
    now = next((a["version"] for a in entry["aliases"] if a["alias"] == alias), None)
    if now is None:
        known = ", ".join(a["alias"] for a in entry["aliases"]) or "none"
        raise NotFound(
            {
                "code": "not_found",
                "detail": f"{name} has no alias {alias!r}",
                "remedy": f"Its aliases are: {known}.",
            }
        )
    earlier = [number for number in entry["versions"] if number < now]
    if not earlier:
        raise typer.BadParameter(f"{name}:{now} is the first version: there is none before it")
    return int(max(earlier))


@app.command("names")
def names(
    name: Annotated[str | None, typer.Argument(help="Only this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Names with their newest version and aliases."""
    with connect() as client:
        found = client.registry.names() if name is None else [client.registry[name].get()]
    if as_json:
        show.as_json(found)
        return
    rows = [
        (e["name"], e["newest"], ", ".join(f"@{a['alias']} → {a['version']}" for a in e["aliases"]))
        for e in found
    ]
    show.table("", ("name", "newest", "aliases"), rows)


@app.command("unalias")
def unalias(name: str, alias: str, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Take an alias away; the versions stay."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.registry[name].remove(alias))
            return
        client.registry[name].remove(alias)
    show.as_json({"removed": alias}) if as_json else show.say(f"{name}@{alias} is no more")


@app.command("evaluations")
def evaluations(ref: str, as_json: AsJson = False) -> None:
    """What `retort evaluate` measured of it."""
    with connect() as client:
        found = client.models.evaluations(ref)
    if as_json:
        show.as_json(found)
        return
    rows = [
        (e["created_at"][:19], e["part"], target, name, show.figure(value), e["id"])
        for e in found
        for target, metrics in e["metrics"].items()
        for name, value in metrics.items()
    ]
    show.table("", ("when", "part", "target", "metric", "value [95 %]", "id"), rows)


@app.command("evaluation")
def evaluation(evaluation_id: str, as_json: AsJson = False) -> None:
    """One evaluation, whole."""
    del as_json  # it is JSON in any case
    with connect() as client:
        show.as_json(client.models.evaluation(evaluation_id))


@app.command("manifest")
def manifest(ref: str, as_json: AsJson = False) -> None:
    """Everything that says what the model is: features, calibration, files with hashes."""
    del as_json  # it is JSON in any case
    with connect() as client:
        show.as_json(client.models.manifest(ref))


@app.command("export")
def export(
    ref: str,
    folder: Annotated[Path | None, typer.Argument(help="Left out: by its name.")] = None,
    only: Annotated[str | None, typer.Option(help="Only this file, e.g. parity.svg")] = None,
    as_json: AsJson = False,
) -> None:
    """Download the model's files into a folder."""
    target = folder or Path(ref.replace(":", "-").replace("@", "-"))
    with connect() as client:
        if only is not None:
            target.mkdir(parents=True, exist_ok=True)
            written = [target / Path(only).name]
            client.models.download(ref, only, written[0])
        else:
            written = list(client.models.export(ref, target))
    if as_json:
        show.as_json([str(path) for path in written])
    else:
        show.say(f"{len(written)} files in {target}")
