"""`retort up`, `down`, `status`, `workers`, `login`, `whoami`."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from retort import Forbidden, Retort
from retort.cli import show
from retort.cli.options import AsJson
from retort.cli.session import connect
from retort.config import store_config

app = typer.Typer()
_NO_SERVER = """The server is not installed beside this command.
  from a clone of Retort:  make up    (or docker compose up -d)
  a server elsewhere:      retort login --url URL --key KEY"""


@app.command()
def up() -> None:
    """Start the embedded cluster, where the server is installed beside this command."""
    raise typer.Exit(_embedded("up"))


@app.command()
def down() -> None:
    """Drain and stop the embedded cluster: running jobs go back to their queues."""
    raise typer.Exit(_embedded("down"))


def _embedded(command: str) -> int:
    spec = find_spec("workers")
    if spec is None or find_spec("workers.embedded") is None:
        show.err.print(_NO_SERVER, markup=False)
        return 2
    clone = Path(next(iter(spec.submodule_search_locations or []))).parent
    return subprocess.call([sys.executable, "-m", "workers.embedded", command], cwd=clone)


@app.command()
def status(as_json: AsJson = False) -> None:
    """Who we are to the server, where its pages are, how long its queues are."""
    with connect() as client:
        about = client.about()
        try:
            queues = client.admin.queues()
        except Forbidden:
            queues = []  # they are for operators; the rest is for everybody
    if as_json:
        show.as_json({**about, "queues": queues})
        return
    show.say(f"{client.url}  as {about['caller']}  ({client.config_source})")
    for name, link in about["links"].items():
        if link:
            show.say(f"  {name:8} {client.url + link if str(link).startswith('/') else link}")
    columns = ("queue", "queued", "running", "oldest_seconds", "workers")
    rows = [[queue[name] for name in columns] for queue in queues]
    show.table("", ("queue", "queued", "running", "oldest (s)", "workers"), rows)


@app.command()
def workers(as_json: AsJson = False) -> None:
    """Workers that told of themselves in the last 30 seconds."""
    with connect() as client:
        found = client.admin.workers()
    show.listing(found, ("name", "queues", "processes", "started_at"), plain=as_json)


@app.command()
def login(
    url: Annotated[str, typer.Option(prompt="Address of the server")],
    key: Annotated[str, typer.Option(prompt="API key", hide_input=True)],
    as_json: AsJson = False,
) -> None:
    """Check an address and key, and keep them in your own configuration file."""
    with Retort(url, key) as client:
        about = client.with_options(attempts=2).about()
    path = store_config(client.url, key)
    if as_json:
        show.as_json({"caller": about["caller"], "stored": str(path)})
    else:
        show.say(f"you are {about['caller']} to {client.url}; kept in {path}")
        show.next_(("doctor",))


@app.command()
def whoami(as_json: AsJson = False) -> None:
    """Who you are to the server, your role and rights, and where your key was found."""
    with connect() as client:
        me = client.keys.whoami()
        about = client.about()
    key = me["key"] or {}
    facts = {
        "caller": me["name"],
        "role": me["role"],
        "rights": ", ".join(me["rights"]),
        "key": key.get("prefix"),
        "expires": key.get("expires_at"),
        "url": client.url,
        "configuration": client.config_source,
        "server_version": about["version"],
    }
    if as_json:
        show.as_json(facts)
        return
    for name, value in facts.items():
        if value is None:
            continue
        show.say(f"{name:15} {value}")
