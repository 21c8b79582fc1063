"""`retort data`: files become data sets, and what is known of them."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from retort import Dataset, NotFound, Retort, Unavailable
from retort.cli import show
from retort.cli.options import (
    AsJson,
    DryRun,
    Labels,
    Limit,
    Targets,
    labels_to_set,
    pairs,
    personal_columns,
)
from retort.cli.progress import follow_job, sending
from retort.cli.session import connect
from retort.figures import accounting
from retort.records import FileRecord
from retort.roles import roles_of
from retort.tables import slug

app = typer.Typer(no_args_is_help=True, help="Data sets.")

Smiles = Annotated[str | None, typer.Option(help="SMILES column; left out: guessed.")]
Roles = Annotated[
    list[str] | None,
    typer.Option(
        "--role",
        help="COLUMN=ROLE: smiles, target, feature, weight, id, split, ignore; repeatable.",
    ),
]
Kind = Annotated[str | None, typer.Option(help="molecule or table; left out: guessed.")]
Format = Annotated[str | None, typer.Option("--format", help="csv, sdf, ...; left out: guessed.")]
Units = Annotated[list[str] | None, typer.Option("--unit", help="COLUMN=UNIT; repeatable.")]
PersonalColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--personal",
        help="COLUMN (left out) or COLUMN:hash; about people, never learned from; repeatable.",
    ),
]


@app.command("push")
def push(
    file: Path,
    name: Annotated[str | None, typer.Option(help="Left out: from the file's name.")] = None,
    target: Targets = None,
    smiles: Smiles = None,
    role: Roles = None,
    kind: Kind = None,
    format_: Format = None,
    unit: Units = None,
    personal: PersonalColumns = None,
    duplicates: Annotated[
        str | None, typer.Option(help="merge, keep_first, keep_all; left out: by kind.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, do not preview.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Upload a file, show how it would be read, and make it a data set."""
    reading = _reading(target, smiles, role, kind, format_, unit, personal)
    options = reading | ({"duplicates": duplicates} if duplicates else {})
    name = name or slug(file.name)
    with connect() as client:
        if dry_run:
            show.say(client.curl.datasets.create(file, name, **options))
            return
        uploaded = client.files.upload(file, progress=sending(file.name))
        if not (yes or as_json):
            _confirm(client, uploaded, reading)
        dataset = client.datasets.create(uploaded, name, wait=False, **options)
        follow_job(client, client.jobs.get(dataset["job_id"]), quiet=as_json)
        report = client.datasets.report(dataset)
        dataset.refresh()
    if as_json:
        show.as_json({"dataset": dataset.ref, **report})
    else:
        _after_push(dataset, report)


def _after_push(dataset: Dataset, report: dict[str, Any]) -> None:
    show.show_report(dataset.ref, report)
    if report["counts"]["rows_rejected"]:
        show.next_(("data", "rejected", dataset.ref))
    target = (dataset.targets or ["COLUMN"])[0]
    show.next_(("train", dataset.name, "--target", target))


def _reading(
    target: list[str] | None,
    smiles: str | None,
    role: list[str] | None,
    kind: str | None,
    format_: str | None,
    unit: list[str] | None,
    personal: list[str] | None,
) -> dict[str, Any]:
    """Only what was said."""
    said: dict[str, Any] = {
        "roles": roles_of(target, smiles, pairs(role)),
        "kind": kind,
        "format": format_,
        "units": pairs(unit),
        "personal": personal_columns(personal),
    }
    return {name: value for name, value in said.items() if value}


def _confirm(client: Retort, file: FileRecord, reading: dict[str, Any]) -> None:
    """Show the preview; ask where somebody can answer."""
    try:
        show.show_preview(client.with_options(attempts=2).datasets.preview(file, **reading))
    except (NotFound, Unavailable) as error:
        show.warn(f"no preview ({error.detail}); the report will tell how it was read")
        return
    asking = sys.stdin.isatty() and show.out.is_terminal
    if asking and not typer.confirm("Ingest it so?", default=True):
        raise typer.Exit(0)


@app.command("preview")
def preview(
    file: Path,
    target: Targets = None,
    smiles: Smiles = None,
    role: Roles = None,
    kind: Kind = None,
    format_: Format = None,
    unit: Units = None,
    personal: PersonalColumns = None,
    as_json: AsJson = False,
) -> None:
    """How a file would be read: format, columns, roles, types; makes nothing of it."""
    with connect() as client:
        reading = _reading(target, smiles, role, kind, format_, unit, personal)
        found = client.datasets.preview(file, **reading)
    if as_json:
        show.as_json(found)
        return
    show.show_preview(found)
    show.next_(("data", "push", str(file)))


@app.command("ls")
def ls(
    name: Annotated[str | None, typer.Option(help="All versions of this one.")] = None,
    kind: Kind = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Data sets, newest first."""
    with connect() as client:
        found = list(client.datasets.list(name, kind=kind, limit=limit))
    columns = ("ref", "kind", "state", "rows_in", "rows_ok", "rows_rejected", "rows_merged")
    show.listing(found, columns, plain=as_json)


@app.command("show")
def one(ref: str, as_json: AsJson = False) -> None:
    """One data set: name (newest), name:3 or id."""
    with connect() as client:
        found = client.datasets.get(ref)
    if as_json:
        show.as_json(found)
        return
    show.say(f"{found.ref}  {found.state}, {found['kind']}; {accounting(found)}")
    if found.get("labels"):
        show.say("  " + ", ".join(f"{name}={value}" for name, value in found["labels"].items()))
    show.listing(found.columns, ("name", "role", "type", "unit"), plain=False)


@app.command("report")
def report(
    ref: str,
    html: Annotated[Path | None, typer.Option(help="Write the page to this file.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Look at the page in a browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Row accounting, reasons, columns, conflicts; as a page with --html or --open."""
    with connect() as client:
        if html is not None or open_:
            page = html or Path(f"{ref.replace(':', '-')}-report.html")
            client.datasets.report_html(ref, page)
            show.say(f"written to {page}")
            if open_:
                typer.launch(page.resolve().as_uri())
            return
        found = client.datasets.report(ref)
    if as_json:
        show.as_json(found)
    else:
        show.show_report(ref, found)


@app.command("rows")
def rows(
    ref: str,
    limit: Limit = 20,
    offset: Annotated[int, typer.Option(min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Rows of the cleaned table."""
    with connect() as client:
        found = client.datasets.rows(ref, limit, offset)
    show.listing(found, list(found[0]) if found else [], plain=as_json)


@app.command("rejected")
def rejected(
    ref: str,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Every refused row with its reason, as CSV."""
    with connect() as client:
        text = client.datasets.rejected(ref, output)
    if as_json:
        show.as_json({"csv": text or str(output)})
    elif output is not None:
        show.say(f"written to {output}")
    else:
        show.say(text.replace("\r\n", "\n").rstrip("\n"))


@app.command("diff")
def diff(
    ref: str,
    against: Annotated[str | None, typer.Argument(help="Left out: the version before.")] = None,
    as_json: AsJson = False,
) -> None:
    """What changed between two versions."""
    with connect() as client:
        found = client.datasets.diff(ref, against)
    if as_json:
        show.as_json(found)
        return
    counts = ", ".join(f"{name} {number}" for name, number in found["rows"].items())
    show.say(f"{found['against']} → {found['dataset']}, by {found['matched_by']}: {counts}")
    for name, columns in found["columns"].items():
        for column in columns:
            show.say(f"  column {name}: {column}")
    for name, rows in found["examples"].items():
        for row in rows[:10]:
            show.say(f"  {name}: {row}")


@app.command("splits")
def splits(ref: str, as_json: AsJson = False) -> None:
    """Splits that were made of it, and how often their test rows were used."""
    with connect() as client:
        found = client.datasets.splits(ref)
    columns = ("splitter", "seed", "sizes", "test_uses", "created_at", "id")
    show.listing(found, columns, plain=as_json)


@app.command("split")
def split(ref: str, split_id: str, as_json: AsJson = False) -> None:
    """One of its splits; --json names the rows of each part, from 0 in the cleaned table."""
    with connect() as client:
        found = client.datasets.split(ref, split_id)
    if as_json:
        show.as_json(found)
        return
    show.say(f"{found['splitter']}  seed {found['seed']}  hash {found['hash']}")
    for name, number in found["sizes"].items():
        show.say(f"  {name} {number}")


@app.command("lineage")
def lineage(ref: str, as_json: AsJson = False) -> None:
    """From the file to versions, models, aliases and predictions."""
    with connect() as client:
        found = client.datasets.lineage(ref)
    if as_json:
        show.as_json(found)
        return
    file = found.get("file") or {}
    show.say(f"file {file.get('name')}  sha256 {file.get('sha256')}")
    for version in found["versions"]:
        show.say(f"  data set {version['ref']}")
    for model in found["models"]:
        aliases = "".join(f" @{alias}" for alias in model.get("aliases") or [])
        show.say(f"    model {model['ref']}{aliases}")
    for job in found["predictions"]:
        show.say(f"      predict job {job['id']} with {job.get('model')}")


@app.command("label")
def label(ref: str, labels: Labels = None, as_json: AsJson = False) -> None:
    """Set labels: --label name=value; an empty value removes one."""
    with connect() as client:
        found = client.datasets.label(ref, labels_to_set(labels or []))
    show.as_json(found) if as_json else show.say(f"{found.ref}  {found['labels']}")
