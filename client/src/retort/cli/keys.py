"""`retort keys`: API keys, for administrators."""

from typing import Annotated, Any

import typer

from retort.cli import show
from retort.cli.options import AsJson, Limit
from retort.cli.session import connect
from retort.durations import seconds_of
from retort.records import Json

app = typer.Typer(no_args_is_help=True, help="API keys: make, list, rotate, revoke.")

_COLUMNS = ("prefix", "name", "role", "state", "expires_at", "last_used_at")


def _duration(text: str | None) -> str | None:
    try:
        seconds_of(text or "0s")
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return text


Expires = Annotated[
    str | None, typer.Option(help="90d, 24h, ...; left out: never.", callback=_duration)
]


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Who will use it; what it submits is key:NAME's.")],
    role: Annotated[
        str, typer.Option(help="viewer, scientist, approver, operator or admin.")
    ] = "scientist",
    scope: Annotated[
        list[str] | None, typer.Option(help="Only this right of the role; repeatable.")
    ] = None,
    network: Annotated[
        list[str] | None, typer.Option(help="Only from these addresses (CIDR); repeatable.")
    ] = None,
    expires: Expires = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, the only time it is ever shown."""
    with connect() as client:
        made = client.keys.create(
            name, role, scopes=scope or [], networks=network or [], expires=expires
        )
    _show_secret(made, as_json=as_json)


@app.command("ls")
def ls(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Newest first, those that have ended too."""
    with connect() as client:
        found = list(client.keys.list(limit=limit))
    show.listing(found, _COLUMNS, plain=as_json)


@app.command("show")
def one(prefix: str, as_json: AsJson = False) -> None:
    """One by its prefix: scopes and networks too."""
    with connect() as client:
        found = client.keys.get(prefix)
    if as_json:
        show.as_json(found)
        return
    for name, value in found.items():
        show.say(f"{name:14} {_plain(value)}")


@app.command("rotate")
def rotate(
    prefix: str,
    overlap: Annotated[
        str, typer.Option(help="The old key works for so long yet.", callback=_duration)
    ] = "24h",
    expires: Expires = None,
    as_json: AsJson = False,
) -> None:
    """A new key that may do the same, printed this once."""
    with connect() as client:
        made = client.keys.rotate(prefix, overlap=overlap, expires=expires)
    _show_secret(made, as_json=as_json)


@app.command("revoke")
def revoke(prefix: str, as_json: AsJson = False) -> None:
    """It stops working within five seconds."""
    with connect() as client:
        found = client.keys.revoke(prefix)
    show.as_json(found) if as_json else show.say(f"{found['prefix']} ({found['name']}) is revoked")


def _show_secret(made: Json, *, as_json: bool) -> None:
    """The key alone on stdout, so that a script can take it."""
    if as_json:
        show.as_json(made)
        return
    show.say(made["key"])
    end = made["expires_at"] or "never"
    show.tell(f"{made['name']}, {made['role']}, expires: {end}. It is not shown again.")


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "-"
    return "-" if value is None else str(value)
