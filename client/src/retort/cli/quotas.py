"""`retort usage`; `retort quota ls`, `set`."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from retort.cli import show
from retort.cli.options import AsJson
from retort.cli.session import connect

app = typer.Typer()
quota = typer.Typer(no_args_is_help=True, help="What a project and its keys may use.")

_COLUMNS = (
    *("scope", "name", "queued_jobs", "gpu_hours_per_month", "stored_bytes"),
    *("requests_per_second", "burst"),
)


@app.command("usage")
def usage(as_json: AsJson = False) -> None:
    """What your project and your key have used of their quotas."""
    with connect() as client:
        found = client.quotas.usage()
    if as_json:
        show.as_json(found)
        return
    rows = [
        (
            use["scope"],
            use["name"],
            use["quota"],
            _amount(use["used"]),
            _limit(use),
            use["resets_at"],
        )
        for use in found
    ]
    show.table("", ("of", "name", "quota", "used", "limit", "begins anew"), rows)


@quota.command("ls")
def ls(as_json: AsJson = False) -> None:
    """Of the project, then of each key (administrators only); empty: no limit."""
    with connect() as client:
        found = client.quotas.list()
    show.listing(found, _COLUMNS, plain=as_json)


@quota.command("set")
def set_(
    key: Annotated[str | None, typer.Option(help="Name of a key; else the project's.")] = None,
    queued_jobs: Annotated[int | None, typer.Option(min=0, help="Jobs that wait.")] = None,
    gpu_hours: Annotated[float | None, typer.Option(min=0, help="In a month (UTC).")] = None,
    stored_bytes: Annotated[int | None, typer.Option(min=0, help="Of all files.")] = None,
    requests_per_second: Annotated[
        float | None, typer.Option(min=0, help="Of a key; 0: as many as it likes.")
    ] = None,
    burst: Annotated[int | None, typer.Option(min=1, help="Of a key: requests at once.")] = None,
    as_json: AsJson = False,
) -> None:
    """Replace a quota (administrators only): what is left out has no limit from now on."""
    given: dict[str, float | None] = {
        "queued_jobs": queued_jobs,
        "gpu_hours_per_month": gpu_hours,
        "stored_bytes": stored_bytes,
        "requests_per_second": requests_per_second,
        "burst": burst,
    }
    with connect() as client:
        found = client.quotas.set(key, **given)
    show.listing([found], _COLUMNS, plain=False) if not as_json else show.as_json(found)


def _amount(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:,.2f}"


def _limit(use: Mapping[str, Any]) -> str:
    return "-" if use["limit"] is None else _amount(use["limit"])
