"""`retort webhooks`: where the server sends events to."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from retort.cli import show
from retort.cli.options import AsJson, Labels, Limit, pairs, words
from retort.cli.session import connect

app = typer.Typer(no_args_is_help=True, help="Addresses that events are sent to.")

#: how long `test` waits for what came of it (s)
_PATIENCE = 30.0

Id = Annotated[str, typer.Argument(metavar="ID", help="Id of a webhook.")]
Events = Annotated[
    str | None, typer.Option("--events", help="Types, separated by commas; left out: all.")
]
Only = Annotated[
    list[str] | None, typer.Option("--filter", help="Only of what has the label name=value.")
]


@app.command("add")
def add(
    url: str,
    events: Events = None,
    only: Only = None,
    description: Annotated[str | None, typer.Option()] = None,
    labels: Labels = None,
    as_json: AsJson = False,
) -> None:
    """Make one; its secret is shown now and never again."""
    with connect() as client:
        made = client.webhooks.create(
            url,
            types=words(events),
            filter=pairs(only) or None,
            description=description,
            labels=pairs(labels) or None,
        )
    _show_secret(made, as_json=as_json)


@app.command("ls")
def ls(limit: Limit = 50, as_json: AsJson = False) -> None:
    """Newest first."""
    with connect() as client:
        found = list(client.webhooks.list(limit=limit))
    if as_json:
        show.as_json(found)
        return
    rows = [(one["id"], one["url"], one["state"], _types(one), one["failures"]) for one in found]
    show.table("", ("id", "url", "state", "events", "failures in a row"), rows)


@app.command("show")
def one(webhook: Id, as_json: AsJson = False) -> None:
    """How it is; its secret is not shown."""
    with connect() as client:
        found = client.webhooks.get(webhook)
    if as_json:
        show.as_json(found)
        return
    show.table("", ("", ""), [(name, value) for name, value in found.items() if value is not None])


@app.command("set")
def change(
    webhook: Id,
    url: Annotated[str | None, typer.Option()] = None,
    events: Events = None,
    state: Annotated[str | None, typer.Option(help="active or paused.")] = None,
    description: Annotated[str | None, typer.Option()] = None,
    as_json: AsJson = False,
) -> None:
    """Change it; `--state active` sets a disabled one going again."""
    given = {"url": url, "types": words(events), "state": state, "description": description}
    fields: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with connect() as client:
        found = client.webhooks.update(webhook, **fields)
    show.as_json(found) if as_json else show.say(f"{found['id']} is {found['state']}")


@app.command("rm")
def rm(webhook: Id, as_json: AsJson = False) -> None:
    """Nothing is sent to it any more."""
    with connect() as client:
        client.webhooks.remove(webhook)
    show.as_json({"removed": webhook}) if as_json else show.say("removed")


@app.command("rotate")
def rotate(
    webhook: Id,
    overlap: Annotated[
        int | None, typer.Option(min=0, help="Seconds that the old secret stays valid (a day).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Another secret, shown now and never again."""
    with connect() as client:
        made = client.webhooks.rotate(webhook, overlap_seconds=overlap)
    _show_secret(made, as_json=as_json)


@app.command("test")
def try_it(webhook: Id, as_json: AsJson = False) -> None:
    """Send it an event of no meaning, and say what came of it."""
    with connect() as client:
        found = client.webhooks.test(webhook)
        ends = time.monotonic() + _PATIENCE
        while found["status"] is None and found["error"] is None and time.monotonic() < ends:
            time.sleep(0.5)
            found = client.webhooks.delivery(webhook, found["id"])
    show.as_json(found) if as_json else _show_deliveries([found])


@app.command("deliveries")
def deliveries(
    webhook: Id,
    delivery: Annotated[str | None, typer.Argument(help="One of them, with its event.")] = None,
    state: Annotated[str | None, typer.Option(help="pending, delivered or failed.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """What became of its events, newest first."""
    with connect() as client:
        if delivery is not None:
            show.as_json(client.webhooks.delivery(webhook, delivery))
            return
        found = list(client.webhooks.deliveries(webhook, state=state, limit=limit))
    show.as_json(found) if as_json else _show_deliveries(found)


@app.command("replay")
def replay(
    webhook: Id,
    delivery: Annotated[list[str] | None, typer.Argument(help="Deliveries.")] = None,
    since: Annotated[str | None, typer.Option(help="Every event from this time on.")] = None,
    until: Annotated[str | None, typer.Option(help="... and before this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send again: deliveries, or every event of a time, also what it was never sent."""
    if bool(delivery) == (since is not None):
        raise typer.BadParameter("name deliveries, or a time by --since")
    with connect() as client:
        count = client.webhooks.replay(webhook, delivery or None, since=since, until=until)
    show.as_json({"count": count}) if as_json else show.say(f"{count} are sent again")


def _show_secret(made: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        show.as_json(made)
        return
    show.say(f"webhook {made['id']}: {_types(made)} to {made['url']}")
    show.say(f"secret  {made['secret']}")
    show.say("Keep it: it is not shown again. Receivers verify with it (docs/webhooks.md).")


def _show_deliveries(found: list[Any]) -> None:
    rows = [
        (
            one["id"],
            one["created_at"],
            one["type"],
            one["subject"],
            one["state"],
            one["attempt"],
            one["status"] or "-",
            one["error"] or "",
        )
        for one in found
    ]
    headers = ("id", "at", "type", "subject", "state", "tries", "status", "error")
    show.table("", headers, rows)


def _types(webhook: Mapping[str, Any]) -> str:
    return ", ".join(webhook["types"]) or "all events"
