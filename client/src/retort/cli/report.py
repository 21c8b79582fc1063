"""`retort report`: what a model says about itself, for people."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from retort import Retort
from retort.cli import show
from retort.cli.options import AsJson
from retort.cli.session import connect

app = typer.Typer()


class Template(StrEnum):
    """Each with the ending of its file."""

    html = "html"
    card = "card"
    qmrf = "qmrf"


@app.command()
def report(
    model: str,
    template: Annotated[
        Template, typer.Option(help="html: the page; card, qmrf: Markdown to fill in.")
    ] = Template.html,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write it here.")] = None,
    open_: Annotated[bool, typer.Option("--open", help="Look at it in a browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """The report of a model: a page to look at and to send on, a model card, or a QMRF-style
    summary. Markdown is printed where no file is named.
    """
    target = output or (_named(model) if template is Template.html else None)
    with connect() as client:
        text = _asked(client, model, template, target)
    if as_json:
        show.as_json({"path": str(target)} if target else {"text": text})
    elif target is None:
        show.say(text.rstrip())
    else:
        show.say(f"written to {target}")
    if open_ and target is not None:
        typer.launch(target.resolve().as_uri())


def _named(model: str) -> Path:
    return Path(f"{model.replace(':', '-').replace('@', '-')}-report.html")


def _asked(client: Retort, model: str, template: Template, target: Path | None) -> str:
    ways = {
        Template.html: client.models.report,
        Template.card: client.models.card,
        Template.qmrf: client.models.qmrf,
    }
    return ways[template](model, target)
