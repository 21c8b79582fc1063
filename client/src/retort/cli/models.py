"""`retort models`: versions, names, files; `registry.py` has what changes them."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from retort.cli import show
from retort.cli.options import AsJson, DryRun, Labels, Limit, pairs
from retort.cli.session import connect

app = typer.Typer(no_args_is_help=True, help="Model versions and their names.")


@app.command("ls")
def ls(
    name: Annotated[str | None, typer.Option(help="Versions of this name.")] = None,
    labels: Labels = None,
    archived: Annotated[bool, typer.Option(help="Only archived ones.")] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Newest first."""
    with connect() as client:
        found = list(client.models.list(name, label=pairs(labels), archived=archived, limit=limit))
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


class Format(StrEnum):
    """What a version is written as."""

    bundle = "bundle"
    pyfunc = "pyfunc"
    onnx = "onnx"


@app.command("export")
def export(
    ref: str,
    format_: Annotated[
        Format,
        typer.Option("--format", help="bundle: to import or run-bundle; pyfunc: MLflow; onnx."),
    ] = Format.bundle,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Left out: by its name.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Write a version as one file that other systems take."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.models.export(ref, format_.value))
            return
        exported = client.models.export(ref, format_.value)
        made = exported.result()
        target = output or Path(made["file"])
        exported.download(target)
    if as_json:
        show.as_json({**made, "path": str(target)})
    else:
        show.say(f"{made['model_ref']} as {format_.value} is in {target}; SHA-256 {made['sha256']}")
        if made.get("signed_by"):
            show.say(f"signed with the key {made['signed_by']}")


@app.command("import")
def import_(
    bundle: Path,
    name: Annotated[str | None, typer.Option(help="Left out: as it was called.")] = None,
    sha256: Annotated[str | None, typer.Option(help="Of the file, as the export said.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make an exported bundle the next version of a name."""
    with connect() as client:
        model = client.models.import_bundle(bundle, name, sha256=sha256)
    show.as_json(model) if as_json else show.say(f"{bundle} is {model.ref} now")


@app.command("files")
def files(
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
            written = list(client.models.files(ref, target))
    if as_json:
        show.as_json([str(path) for path in written])
    else:
        show.say(f"{len(written)} files in {target}")
