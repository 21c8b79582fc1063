"""`retort models`: promote through a gate, roll back, look back, tag, archive, trace."""

from typing import Annotated, Any

import typer

from retort import GateFailed, Retort
from retort.cli import show
from retort.cli.options import AsJson, DryRun, Labels, Limit, labels_to_set
from retort.cli.session import connect

app = typer.Typer()

Alias = Annotated[
    str, typer.Option(help="champion, challenger, staging or your own; production is champion.")
]
Note = Annotated[str, typer.Option(help="Why.")]


@app.command("promote")
def promote(
    ref: Annotated[str, typer.Argument(help="name:version")],
    alias: Alias = "champion",
    note: Note = "",
    evaluation: Annotated[
        str | None, typer.Option(help="Id of the evaluation that speaks for it.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Point an alias to a version, when its files are unaltered and the alias's gate lets it."""
    name, _, version = ref.partition(":")
    if not version.isdigit():
        raise typer.BadParameter("write name:version, e.g. esol:3")
    options: dict[str, Any] = {"alias": alias, "note": note, "evaluation": evaluation}
    with connect() as client:
        if dry_run:
            show.say(client.curl.models.promote(ref, **options))
            return
        try:
            entry = client.models.promote(ref, **options)
        except GateFailed as error:
            if not as_json:
                rows = [
                    (f["pointer"].rpartition("/")[2], f["code"], f["detail"]) for f in error.fields
                ]
                show.table("", ("check", "", "found"), rows)
            raise
    if as_json:
        show.as_json(entry)
        return
    if entry.get("gate"):
        _checks(entry["gate"]["checks"])
    if alias == "archived":
        show.say(f"{ref} is archived")
    else:
        show.say(f"{name}@{entry['alias']} is {ref} now")


def _checks(checks: Any) -> None:
    rows = [(c["check"], "passed" if c["passed"] else "failed", c["detail"]) for c in checks]
    show.table("", ("check", "", "found"), rows)


@app.command("rollback")
def rollback(
    name: str,
    alias: Alias = "champion",
    to: Annotated[
        int | None, typer.Option(help="An earlier holder; left out: the one before.")
    ] = None,
    note: Note = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Point an alias back to the version that bore it before; again: further back."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.registry[name].rollback(alias, note, version=to))
            return
        entry = client.registry[name].rollback(alias, note, version=to)
    if as_json:
        show.as_json(entry)
    else:
        show.say(f"{name}@{entry['alias']} is {name}:{entry['version']} again")


@app.command("history")
def history(
    name: str,
    alias: Annotated[str | None, typer.Option(help="Only of this alias.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Every move of the name's aliases, newest first."""
    with connect() as client:
        found = list(client.registry[name].history(alias, limit=limit))
    if as_json:
        show.as_json(found)
        return
    rows = [
        (e["at"][:19], e["by"], f"@{e['alias']}", e["kind"], _step(e), e["note"]) for e in found
    ]
    show.table("", ("when", "who", "alias", "what", "version", "note"), rows)


def _step(entry: Any) -> str:
    before, after = (entry[side] or "-" for side in ("before", "after"))
    return f"{before} → {after}"


@app.command("policy")
def policy(
    name: str,
    alias: Alias = "champion",
    on: Annotated[str | None, typer.Option(help="Data set that decides: name or name:3.")] = None,
    metric: Annotated[str | None, typer.Option(help="Left out: the task's main one.")] = None,
    min_delta: Annotated[
        float | None, typer.Option(help="Least lower end of the improvement's interval.")
    ] = None,
    confidence: Annotated[float | None, typer.Option(help="Level of that interval.")] = None,
    advisory: Annotated[bool, typer.Option(help="Record the checks, refuse nothing.")] = False,
    four_eyes: Annotated[bool, typer.Option(help="Who trained may not promote.")] = False,
    max_latency: Annotated[float | None, typer.Option(help="ms for one row.")] = None,
    drop: Annotated[bool, typer.Option(help="Take the policy away.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a version must fulfil to bear an alias; with options, set it."""
    wanted = {
        "evaluation_dataset": on,
        "metric": metric,
        "min_delta": min_delta,
        "confidence": confidence,
        "required": False if advisory else None,
        "four_eyes": True if four_eyes else None,
        "max_latency_ms": max_latency,
    }
    given = {key: value for key, value in wanted.items() if value is not None}
    with connect() as client:
        found = _policy(client, name, alias, given, drop=drop)
    if as_json or found is None:
        show.as_json(found) if as_json else show.say(f"{name}@{alias} has no policy any more")
        return
    rows = [(key, value) for key, value in found.items() if value is not None]
    show.table("", ("policy", f"{name}@{found['alias']}"), rows)


def _policy(client: Retort, name: str, alias: str, given: dict[str, Any], *, drop: bool) -> Any:
    entry = client.registry[name]
    if drop:
        entry.drop_policy(alias)
        return None
    return entry.set_policy(alias, **given) if given else entry.policy(alias)


@app.command("unalias")
def unalias(name: str, alias: str, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Take an alias away; the versions stay."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.registry[name].remove(alias))
            return
        client.registry[name].remove(alias)
    show.as_json({"removed": alias}) if as_json else show.say(f"{name}@{alias} is no more")


@app.command("tag")
def tag(
    ref: Annotated[str, typer.Argument(help="name:version or name@alias; a bare name: the name")],
    labels: Labels = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    semver: Annotated[
        str | None, typer.Option(help="e.g. 1.2.0, unique among the versions; '' takes it away.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Set labels (--label name=value; an empty value removes one), description, semver."""
    said: dict[str, Any] = {"description": description}
    if labels:
        said["labels"] = labels_to_set(labels)
    is_name = ":" not in ref and "@" not in ref
    if is_name and semver is not None:
        raise typer.BadParameter("a semantic version is of a version: write name:3")
    with connect() as client:
        if is_name:
            found: Any = client.registry[ref].change(**said)
        else:
            if semver is not None:
                said["semver"] = semver or None
            found = client.models.change(ref, **said)
    if as_json:
        show.as_json(found)
        return
    parts = [f"{key}={value}" for key, value in found["labels"].items()]
    parts += [text for text in (found.get("semver"), found["description"]) if text]
    show.say(f"{found.get('ref') or ref}  {', '.join(parts) or 'nothing is said of it'}")


@app.command("archive")
def archive(ref: str, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Hide a version from lists and names; `restore` brings it back."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.models.archive(ref))
            return
        found = client.models.archive(ref)
    show.as_json(found) if as_json else show.say(f"{found.ref} is archived")


@app.command("restore")
def restore(
    ref: Annotated[str, typer.Argument(help="name:version or id")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Bring an archived version back."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.models.restore(ref))
            return
        found = client.models.restore(ref)
    show.as_json(found) if as_json else show.say(f"{found.ref} is back")


@app.command("lineage")
def lineage(ref: str, as_json: AsJson = False) -> None:
    """Where a version came from, and what came of it."""
    with connect() as client:
        found = client.models.lineage(ref)
    if as_json:
        show.as_json(found)
        return
    code, split = found["code"], found["split"]
    if found["dataset"] is not None:  # it was not imported
        show.say(f"file {found['file']['name']}  {found['file']['sha256'][:12]}")
        show.say(f"  data set {found['dataset']['ref']}")
    if split is not None:
        show.say(f"    split {split['splitter']}, seed {split['seed']}, {split['hash'][:12]}")
    show.say(f"      code {code['version']} {(code['revision'] or '')[:12]}".rstrip())
    show.say(f"        model {found['model']['ref']}  {found['algorithm']['name']}")
    for parent in found["parents"]:
        named = parent.get("ref") or parent.get("id") or parent.get("job_id")
        show.say(f"          from {parent['kind']} {named}")
    for name in (*found["aliases"], *found["endpoints"]):
        show.say(f"          {name}")
    for job in found["predictions"]:
        show.say(f"          predict job {job['id']}")
