"""`retort studies`: what `retort optimize` searched."""

import typer

from retort.cli import show
from retort.cli.options import AsJson
from retort.cli.session import connect

app = typer.Typer(no_args_is_help=True, help="What optimize jobs searched.")
_COLUMNS = ("id", "algorithm", "metric", "direction", "n_trials", "best", "created_at")


@app.command("ls")
def ls(as_json: AsJson = False) -> None:
    """The newest first."""
    with connect() as client:
        found = client.studies.list()
    show.listing(found, _COLUMNS, plain=as_json)


@app.command("show")
def one(study_id: str, as_json: AsJson = False) -> None:
    """By its own id or its job's."""
    with connect() as client:
        found = client.studies.get(study_id)
    show.listing([found], _COLUMNS, plain=False) if not as_json else show.as_json(found)


@app.command("trials")
def trials(study_id: str, as_json: AsJson = False) -> None:
    """Every trial with its parameters and value."""
    with connect() as client:
        found = client.studies.trials(study_id)
    show.listing(found, ("number", "state", "value", "params"), plain=as_json)
