"""`retort catalog`, `problems`, `demo`: what there is, what codes mean, data to begin with."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from retort.cli import show
from retort.cli.options import AsJson
from retort.cli.session import connect

app = typer.Typer()
problems = typer.Typer(no_args_is_help=True, help="Problem codes: cause and remedy.")
demo = typer.Typer(no_args_is_help=True, help="Data to begin with.")


@app.command()
def catalog(
    kind: Annotated[
        str, typer.Argument(help="algorithms, featurizers, recipes, splitters or metrics")
    ],
    name: Annotated[str | None, typer.Argument(help="Only this one, with its parameters.")] = None,
    as_json: AsJson = False,
) -> None:
    """What can be named in a request."""
    with connect() as client:
        found = client.catalog(kind, name)
    if as_json:
        show.as_json(found)
        return
    rows = [(entry["name"], ", ".join(entry["aliases"]), entry["summary"]) for entry in found]
    show.table("", ("name", "also", "what"), rows)
    if name is not None:
        for field, schema in (found[0]["params"].get("properties") or {}).items():
            default = f" (default {schema['default']})" if "default" in schema else ""
            show.say(f"  --set {field}=...{default}  {schema.get('description', '')}")


@problems.command("ls")
def problems_ls(as_json: AsJson = False) -> None:
    """Every code."""
    with connect() as client:
        found = client.problems()
    show.listing(found, ("code", "status", "title"), plain=as_json)


@problems.command("show")
def problems_show(code: str, as_json: AsJson = False) -> None:
    """What a code means, and what to do about it."""
    with connect() as client:
        found = client.problem(code)
    if as_json:
        show.as_json(found)
        return
    for name, value in found.items():
        show.say(f"{name}: {value}")


@demo.command("data")
def demo_data(
    name: Annotated[str | None, typer.Argument(help="Left out: lists what there is.")] = None,
    to: Annotated[Path, typer.Option(help="Folder to copy into.")] = Path(),
    as_json: AsJson = False,
) -> None:
    """Copy an example file here, where the server is installed beside this command."""
    folder = _examples()
    known = sorted(p for p in folder.iterdir() if p.suffix != ".md") if folder else []
    if folder is None:
        show.err.print("the examples come with the server, which is not installed here")
        raise typer.Exit(4)
    if name is None:
        names = [path.name for path in known]
        show.as_json(names) if as_json else show.say("\n".join(names))
        return
    source = next((p for p in known if name in (p.name, p.name.split(".")[0])), None)
    if source is None:
        show.err.print(
            f"there is no example {name!r}; there are: {', '.join(p.name for p in known)}"
        )
        raise typer.Exit(4)
    target = Path(shutil.copy(source, to / source.name))
    if as_json:
        show.as_json({"written": str(target)})
        return
    show.say(f"written to {target}")
    show.next_(("data", "push", str(target)))


def _examples() -> Path | None:
    spec = find_spec("workers")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))).parent / "examples" / "data"
    return folder if folder.is_dir() else None
