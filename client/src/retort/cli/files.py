"""`retort files`: what lies on the server, apart from what is made of it."""

from pathlib import Path
from typing import Annotated

import typer

from retort.cli import show
from retort.cli.options import AsJson, DryRun, Limit
from retort.cli.progress import sending
from retort.cli.session import connect

app = typer.Typer(no_args_is_help=True, help="Files: upload, list, download.")


@app.command("push")
def push(file: Path, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Upload; a large one goes in parts, and the same command again continues after a break."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.files.upload(file))
            return
        found = client.files.upload(file, progress=sending(file.name))
    show.as_json(found) if as_json else show.say(f"{found.id}  {found.size} bytes, {found.sha256}")


@app.command("ls")
def ls(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Newest first."""
    with connect() as client:
        found = list(client.files.list(limit=limit))
    show.listing(found, ("id", "name", "size", "role", "created_at"), plain=as_json)


@app.command("show")
def one(file_id: str, as_json: AsJson = False) -> None:
    """Name, size, SHA-256."""
    with connect() as client:
        found = client.files.get(file_id)
    show.as_json(found) if as_json else show.say(
        f"{found.name}  {found.size} bytes  {found.sha256}"
    )


@app.command("download")
def download(
    file_id: str,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Left out: its name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Continues after a break; the hash is checked."""
    with connect() as client:
        target = output or Path(Path(client.files.get(file_id).name).name)
        client.files.download(file_id, target, progress=sending(target.name))
    show.as_json({"written": str(target)}) if as_json else show.say(f"written to {target}")


@app.command("uploads")
def uploads(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Uploads in parts that are not complete."""
    with connect() as client:
        found = list(client.files.uploads.list(limit=limit))
    show.listing(found, ("id", "name", "size", "state", "expires_at"), plain=as_json)


@app.command("upload-status")
def upload_status(upload_id: str, as_json: AsJson = False) -> None:
    """Of an upload in parts: what has arrived."""
    with connect() as client:
        found = client.files.uploads.get(upload_id)
    if as_json:
        show.as_json(found)
    else:
        show.say(f"{found['state']}, {len(found['parts'])} parts of {found['part_bytes']} bytes")


@app.command("upload-abort")
def upload_abort(upload_id: str, as_json: AsJson = False) -> None:
    """Give an upload in parts up."""
    with connect() as client:
        client.files.uploads.abort(upload_id)
    show.as_json({"aborted": upload_id}) if as_json else show.say(f"{upload_id} is given up")
