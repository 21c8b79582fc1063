"""`retort schedule`: jobs and retrainings at their times."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from retort import GateFailed
from retort.cli import show
from retort.cli.options import AsJson, DryRun, Limit, Settings, settings
from retort.cli.session import connect
from retort.records import Json

app = typer.Typer(no_args_is_help=True, help="Jobs and retrainings at their times.")

Cron = Annotated[str, typer.Option(help='minute hour day month weekday: "0 2 * * SUN"')]
Zone = Annotated[str, typer.Option("--tz", help="Time zone of the clock that is meant.")]
Note = Annotated[str, typer.Option(help="Why.")]


@app.command("create")
def create(
    name: str,
    cron: Cron,
    tz: Zone = "UTC",
    retrain: Annotated[
        str | None, typer.Option(help="Model to train anew and compare with its champion.")
    ] = None,
    evaluate: Annotated[str | None, typer.Option(help="Model to evaluate.")] = None,
    job: Annotated[
        str | None, typer.Option(help="JSON file of a job: {kind, params}; - is stdin.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Data set: name (its newest version) or name:3.")
    ] = None,
    evaluate_on: Annotated[
        str | None, typer.Option(help="Retrain: data set on which both are compared.")
    ] = None,
    then: Annotated[
        str, typer.Option(help="Retrain, when the new version passes: promote, hold or keep.")
    ] = "hold",
    only_new_data: Annotated[
        bool, typer.Option(help="Retrain: not while the data set has no newer version.")
    ] = False,
    missed: Annotated[str, typer.Option(help="Runs missed in an outage: skip, last or all.")] = (
        "last"
    ),
    overlap: Annotated[
        str, typer.Option(help="While an earlier run has not ended: skip, queue or allow.")
    ] = "skip",
    fields: Settings = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """What is done when: one of --retrain, --evaluate and --job. More by --set, e.g.
    --set retrain.min_delta=0.01 --set start_at=2027-01-01T00:00:00Z.
    """
    if sum(given is not None for given in (retrain, evaluate, job)) != 1:
        raise typer.BadParameter("say one of --retrain MODEL, --evaluate MODEL and --job FILE")
    what: Json = {"timezone": tz, "missed": missed, "overlap": overlap}
    if retrain is not None:
        what["retrain"] = _retrain(retrain, data, evaluate_on, then, only_new_data=only_new_data)
    elif evaluate is not None:
        params = {"model": evaluate} | ({} if data is None else {"dataset": data})
        what["job"] = {"kind": "evaluate", "params": params}
    else:
        what["job"] = _read(str(job))
    what = _merged(what, settings(fields))
    with connect() as client:
        if dry_run:
            show.say(client.curl.schedules.create(name, cron, **what))
            return
        found = client.schedules.create(name, cron, **what)
    _tell(found, as_json=as_json)


def _retrain(
    model: str, data: str | None, evaluate_on: str | None, then: str, *, only_new_data: bool
) -> Json:
    if evaluate_on is None:
        raise typer.BadParameter("--retrain needs --evaluate-on DATA: where both are compared")
    said: Json = {"model": model, "evaluate_on": evaluate_on, "then": then}
    if data is not None:
        said["dataset"] = data
    if only_new_data:
        said["only_new_data"] = True
    return said


def _read(file: str) -> Json:
    text = sys.stdin.read() if file == "-" else Path(file).read_text()
    try:
        found = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{file} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{file} holds no job: write an object with kind and params")
    return found


def _merged(target: Json, said: Json) -> Json:
    merged = dict(target)
    for name, value in said.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both else value
    return merged


@app.command("ls")
def ls(as_json: AsJson = False) -> None:
    """Each with its next three runs, in the zone's own time and in UTC."""
    with connect() as client:
        found = list(client.schedules.list())
    if as_json:
        show.as_json(found)
        return
    rows = []
    for entry in found:
        state = "" if entry["enabled"] else "paused"
        coming = entry["next_runs"] or [{"local": state or "-", "at": None}]
        last = entry["last_run"]
        rows.append(
            (
                entry["name"],
                entry["kind"],
                f"{entry['cron']} {entry['timezone']}",
                "\n".join(_clock(one["local"]) for one in coming),
                "\n".join(_utc(one["at"]) for one in coming),
                "" if last is None else _outcome(last),
            )
        )
    show.table("", ("schedule", "kind", "when", "next", "in UTC", "last"), rows)


def _clock(local: str) -> str:
    """2026-11-29T02:00:00+01:00, as people read it."""
    day, sign, rest = local.partition("T")
    return f"{day} {rest[:5]} {rest[8:]}".strip() if sign else local


def _utc(at: str | None) -> str:
    return "" if at is None else f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M}"


def _outcome(run: Json) -> str:
    return str(run["outcome"] or run["state"])


@app.command("show")
def one(name: str, as_json: AsJson = False) -> None:
    """What it does when, its next runs and its last one."""
    with connect() as client:
        found = client.schedules.get(name)
    _tell(found, as_json=as_json)


def _tell(found: Json, *, as_json: bool) -> None:
    if as_json:
        show.as_json(found)
        return
    what = found["retrain"] or found["job"]
    paused = "" if found["enabled"] else ", paused"
    show.say(f"{found['name']}  {found['kind']}  {found['cron']} {found['timezone']}{paused}")
    show.say(f"  {json.dumps(what)}")
    for coming in found["next_runs"]:
        show.say(f"  next {_clock(coming['local'])}  ({_utc(coming['at'])} UTC)")
    if found.get("last_run") is not None:
        _tell_run(found["name"], found["last_run"])


def _tell_run(name: str, run: Json) -> None:
    show.say(f"  run {run['id']} of {_clock(run['local'])}: {_outcome(run)}")
    if run["reason"]:
        show.say(f"    {run['reason']}")
    if run["error"]:
        show.say(f"    {run['error']['detail']}")
    if run["state"] == "held":
        show.next_(
            ("schedule", "approve", name, run["id"]), ("schedule", "reject", name, run["id"])
        )


@app.command("set")
def set_(
    name: str,
    fields: Settings = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change some fields: --set cron="30 2 * * *" --set missed=all. A field that is named is
    replaced as a whole.
    """
    said = settings(fields)
    if not said:
        raise typer.BadParameter("say what to change: --set name=value")
    with connect() as client:
        if dry_run:
            show.say(client.curl.schedules.update(name, **said))
            return
        found = client.schedules.update(name, **said)
    _tell(found, as_json=as_json)


@app.command("pause")
def pause(name: str, as_json: AsJson = False) -> None:
    """Its times pass until it is resumed, and are not made up for."""
    with connect() as client:
        found = client.schedules.pause(name)
    show.as_json(found) if as_json else show.say(f"{name} is paused")


@app.command("resume")
def resume(name: str, as_json: AsJson = False) -> None:
    """From its next time on."""
    with connect() as client:
        found = client.schedules.resume(name)
    _tell(found, as_json=as_json)


@app.command("run")
def run(name: str, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Now, whatever the time is; its own times stay."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.schedules.run(name))
            return
        found = client.schedules.run(name)
    if as_json:
        show.as_json(found)
        return
    _tell_run(name, found)
    show.next_(("schedule", "history", name))


@app.command("rm")
def rm(name: str, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """It fires no more; jobs that run go on."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.schedules.remove(name))
            return
        client.schedules.remove(name)
    show.as_json({"removed": name}) if as_json else show.say(f"{name} fires no more")


@app.command("history")
def history(
    name: str,
    run_id: Annotated[str | None, typer.Argument(help="Only this run, whole.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Its runs, newest first: when, what became of each, why."""
    with connect() as client:
        if run_id is not None:
            show.as_json(client.schedules.get_run(name, run_id))
            return
        found = list(client.schedules.history(name, limit=limit))
    if as_json:
        show.as_json(found)
        return
    rows = [
        (_clock(r["local"]), r["trigger"], r["state"], r["outcome"] or "", _why(r), r["id"])
        for r in found
    ]
    show.table("", ("when", "by", "state", "outcome", "why", "run"), rows)


def _why(run: Json) -> str:
    error = (run["error"] or {}).get("detail", "")
    return ": ".join(part for part in (run["reason"], error) if part)


@app.command("next")
def next_runs(
    cron: Annotated[str, typer.Argument(help='"0 2 * * SUN"')],
    tz: Zone = "UTC",
    count: Annotated[int, typer.Option(min=1, max=50)] = 5,
    as_json: AsJson = False,
) -> None:
    """What an expression means, before it is a schedule."""
    with connect() as client:
        found = client.schedules.preview(cron, tz, count=count)
    if as_json:
        show.as_json(found)
        return
    show.say(f"{found['explanation']}, {found['timezone']}")
    for coming in found["items"]:
        show.say(f"  {_clock(coming['local'])}  ({_utc(coming['at'])} UTC)")


@app.command("approve")
def approve(
    name: str,
    run_id: Annotated[str, typer.Argument(help="Of `retort schedule history NAME`.")],
    note: Note = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Promote the new version of a held run."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.schedules.approve(name, run_id, note=note))
            return
        try:
            found = client.schedules.approve(name, run_id, note=note)
        except GateFailed as error:
            if not as_json:
                show.listing(error.fields, ("pointer", "code", "detail"), plain=False)
            raise
    _decided(found, as_json=as_json)


@app.command("reject")
def reject(
    name: str,
    run_id: Annotated[str, typer.Argument(help="Of `retort schedule history NAME`.")],
    note: Note = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Keep the new version of a held run without promoting it."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.schedules.reject(name, run_id, note=note))
            return
        found = client.schedules.reject(name, run_id, note=note)
    _decided(found, as_json=as_json)


def _decided(run: Any, *, as_json: bool) -> None:
    if as_json:
        show.as_json(run)
        return
    show.say(f"{run['details'].get('candidate', 'the new version')} is {run['outcome']}")
