"""`retort workflow`: jobs that depend on each other, from one JSON file."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from retort.cli import show
from retort.cli.options import AsJson, DryRun
from retort.cli.session import connect
from retort.records import Json

app = typer.Typer(no_args_is_help=True, help="Jobs that depend on each other, in one call.")


@app.command("run")
def run(
    file: Annotated[str, typer.Argument(help="JSON: {key: {kind, params, needs}}; - is stdin.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Submit all at once; {"$from": "key.result.best_params"} takes what an earlier one found."""
    text = sys.stdin.read() if file == "-" else Path(file).read_text()
    try:
        found = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{file} is no JSON: {error}") from error
    jobs = found.get("jobs", found)
    with connect() as client:
        if dry_run:
            show.say(client.curl.workflows.run(jobs))
            return
        made = client.workflows.run(jobs)
    if as_json:
        show.as_json(made)
        return
    _tell(made)
    show.next_(("workflow", "show", made["id"]))


@app.command("show")
def one(workflow_id: str, as_json: AsJson = False) -> None:
    """Its jobs and how far they are."""
    with connect() as client:
        found = client.workflows.get(workflow_id)
    show.as_json(found) if as_json else _tell(found)


def _tell(workflow: Json) -> None:
    rows = [(key, job["kind"], job["state"], job["id"]) for key, job in workflow["jobs"].items()]
    show.table("", ("job", "kind", "state", "id"), rows)
