"""`retort jobs`."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from retort import Retort
from retort.cli import show
from retort.cli.options import (
    AsJson,
    DryRun,
    Labels,
    Limit,
    Settings,
    labels_to_set,
    pairs,
    settings,
)
from retort.cli.progress import follow_job
from retort.cli.session import connect

app = typer.Typer(no_args_is_help=True, help="Jobs.")

State = Annotated[
    str | None, typer.Option(help="waiting, queued, running, succeeded, failed, cancelled")
]
Kind = Annotated[str | None, typer.Option(help="ingest, featurize, train, optimize, ...")]
After = Annotated[str | None, typer.Option("--after", help="Created after this time (ISO 8601).")]
Before = Annotated[str | None, typer.Option("--before", help="Created before this time.")]
By = Annotated[str | None, typer.Option("--by", help="Who submitted it.")]
_FOLLOW_SECONDS = 1.0


@app.command("ls")
def ls(
    state: State = None,
    kind: Kind = None,
    labels: Labels = None,
    after: After = None,
    before: Before = None,
    by: By = None,
    q: Annotated[str | None, typer.Option("--search", help="Words to look for.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Newest first."""
    filters = _filters(state=state, kind=kind, after=after, before=before, by=by, q=q)
    with connect() as client:
        found = list(client.jobs.list(label=pairs(labels) or None, limit=limit, **filters))
    if as_json:
        show.as_json(found)
        return
    rows = [(j.id, j.kind, j.state, f"{j.percent:.0f}", str(j["created_at"])[:19]) for j in found]
    show.table("", ("id", "kind", "state", "%", "created"), rows)


def _filters(
    *, after: str | None, before: str | None, by: str | None, **others: str | None
) -> dict[str, str]:
    said = {**others, "created_after": after, "created_before": before, "created_by": by}
    return {name: value for name, value in said.items() if value is not None}


@app.command("show")
def one(job_id: str, as_json: AsJson = False) -> None:
    """One job: what it is, how far, what it made or why not."""
    with connect() as client:
        job = client.jobs.get(job_id)
    if as_json:
        show.as_json(job)
        return
    show.say(f"{job.id}  {job.kind}, {job.state} ({job.percent:.0f} %), attempt {job['attempt']}")
    show.say(f"  params {json.dumps(job.params)}")
    if job.labels:
        show.say("  labels " + ", ".join(f"{name}={value}" for name, value in job.labels.items()))
    if job.error:
        show.say(f"  {job.error['detail']}\n  → {job.error.get('remedy', '')}")
    if job["result"]:
        show.say(f"  result {json.dumps(job['result'])[:2000]}")


@app.command("follow")
def follow(job_id: str, as_json: AsJson = False) -> None:
    """Progress until it has ended; exit code 1 unless it succeeded."""
    with connect() as client:
        ended = follow_job(client, client.jobs.get(job_id), quiet=as_json)
    show.as_json(ended) if as_json else show.say(f"{ended.kind} {ended.state}")


@app.command("wait")
def wait(job_id: str, as_json: AsJson = False) -> None:
    """Wait silently; exit code 1 unless it succeeded."""
    with connect() as client:
        ended = client.jobs.wait(job_id)
    if as_json:
        show.as_json(ended)


@app.command("logs")
def logs(
    job_id: str,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Until it has ended.")] = False,
    attempt: Annotated[int | None, typer.Option(min=1)] = None,
    level: Annotated[str | None, typer.Option(help="debug, info, warning, error")] = None,
    q: Annotated[str | None, typer.Option("--search", help="Words to look for.")] = None,
    as_json: AsJson = False,
) -> None:
    """What it wrote, oldest first."""
    filters = {"attempt": attempt, "level": level, "q": q}
    with connect() as client:
        after = _print_logs(client, job_id, filters, None, as_json=as_json)
        while follow:
            done = client.jobs.get(job_id).done
            after = _print_logs(client, job_id, filters, after, as_json=as_json)
            if done:
                return
            time.sleep(_FOLLOW_SECONDS)


def _print_logs(
    client: Retort, job_id: str, filters: dict[str, Any], after: Any, *, as_json: bool
) -> Any:
    """The id of the last line, or `after`."""
    for line in client.jobs.logs(job_id, after=after, **filters):
        after = line["id"]
        if as_json:
            show.say(json.dumps(line))
        else:
            show.say(f"{str(line['at'])[:19]} {line['level']:7} {line['text']}")
    return after


@app.command("rows")
def rows(
    job_id: str,
    start: Annotated[int, typer.Option(min=1, help="Number of the first row.")] = 1,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """Predicted rows of a predict job, also while it runs."""
    with connect() as client:
        found = client.jobs.row_range(job_id, start, limit)
    if as_json:
        show.as_json(found)
        return
    items = found["items"]
    if items:
        show.listing(items, list(items[0]), plain=False)
    missing = [f"{gap['first']} to {gap['last']}" for gap in found["missing"]]
    if missing or found["rows_total"] is None:
        show.warn(f"not there yet: rows {', '.join(missing) or 'of a file that is not read'}")


@app.command("events")
def events(job_id: str, as_json: AsJson = False) -> None:
    """What happened to it, as a list."""
    with connect() as client:
        found = client.jobs.events(job_id)
    show.listing(found, ("at", "type", "data"), plain=as_json)


@app.command("attempts")
def attempts(job_id: str, as_json: AsJson = False) -> None:
    """Each time that it was run."""
    with connect() as client:
        found = client.jobs.attempts(job_id)
    show.listing(found, list(found[0]) if found else [], plain=as_json)


@app.command("chunks")
def chunks(job_id: str, as_json: AsJson = False) -> None:
    """Of a divided job: each part with its state."""
    with connect() as client:
        found = client.jobs.chunks(job_id)
    show.listing(found, list(found[0]) if found else [], plain=as_json)


@app.command("artifacts")
def artifacts(job_id: str, as_json: AsJson = False) -> None:
    """Files that it made; `retort jobs download` gets one."""
    with connect() as client:
        found = client.jobs.artifacts(job_id)
    show.listing(found, ("name", "role", "size", "id"), plain=as_json)


@app.command("download")
def download(
    job_id: str,
    name: str,
    output: Annotated[Path | None, typer.Option("-o", "--output")] = None,
    as_json: AsJson = False,
) -> None:
    """One of its files by name."""
    target = output or Path(Path(name).name)
    with connect() as client:
        client.jobs.download(job_id, name, target)
    show.as_json({"written": str(target)}) if as_json else show.say(f"written to {target}")


@app.command("cancel")
def cancel(job_id: str, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """At once while it waits; a running job is asked to stop."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.jobs.cancel(job_id))
            return
        job = client.jobs.cancel(job_id)
    show.as_json(job) if as_json else show.say(job.state)


@app.command("retry")
def retry(job_id: str, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Run a failed job once more; of a divided job only what failed."""
    with connect() as client:
        if dry_run:
            show.say(client.curl.jobs.retry(job_id))
            return
        job = client.jobs.retry(job_id)
    if as_json:
        show.as_json(job)
        return
    show.say(job.state)
    show.next_(("jobs", "follow", job.id))


@app.command("rerun")
def rerun(
    job_id: str,
    set_: Settings = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would differ; submit nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """A new job with the same parameters, some changed: --set algorithm.params.alpha=3."""
    with connect() as client:
        job = client.jobs.rerun(job_id, settings(set_), dry_run=dry_run)
    if as_json:
        show.as_json(job)
        return
    for change in job.get("difference") or []:
        show.say(f"  {change['pointer']}: {change['before']} → {change['after']}")
    if dry_run:
        show.say("nothing was submitted")
        return
    show.say(job.id)
    show.next_(("jobs", "follow", job.id))


@app.command("label")
def label(job_id: str, labels: Labels = None, as_json: AsJson = False) -> None:
    """Set labels: --label name=value; an empty value removes one."""
    with connect() as client:
        job = client.jobs.label(job_id, labels_to_set(labels or []))
    show.as_json(job) if as_json else show.say(f"{job.id}  {job.labels}")


@app.command("bulk")
def bulk(
    action: Annotated[str, typer.Argument(help="cancel, retry or relabel")] = "retry",
    state: State = None,
    kind: Kind = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Jobs with this label: name=value.")
    ] = None,
    after: After = None,
    before: Before = None,
    by: By = None,
    labels: Labels = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would change; change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """cancel, retry or relabel every job that matches; look with --dry-run first."""
    filters: dict[str, Any] = {
        **_filters(state=state, kind=kind, after=after, before=before, by=by)
    }
    if where:
        filters["label"] = pairs(where)
    with connect() as client:
        found = client.jobs.bulk(action, dry_run=dry_run, labels=pairs(labels) or None, **filters)
    if as_json:
        show.as_json(found)
        return
    would = "would change" if dry_run else "changed"
    show.say(f"{found['matched']} jobs match, {found['changed']} {would} ({action})")


@app.command("estimate")
def estimate(
    kind: str,
    params: Annotated[str, typer.Argument(help="JSON of the params, or a file with it.")],
    as_json: AsJson = False,
) -> None:
    """Time and memory of such a job, from what earlier ones took."""
    path = Path(params)
    text = path.read_text() if not params.lstrip().startswith("{") and path.is_file() else params
    with connect() as client:
        found = client.jobs.estimate(kind, _object(text))
    if as_json:
        show.as_json(found)
        return
    if found["seconds"] is not None and found["seconds"]["typical"] is not None:
        show.say(f"time    {_span(found['seconds'], 1, 's')}")
        show.say(f"memory  {_span(found['peak_memory_bytes'], 2**20, 'MiB')}")
    show.say(found["basis"]["how"])


def _span(found: dict[str, float | None] | None, unit: float, name: str) -> str:
    """30 s (24 to 38)."""
    if found is None or found["typical"] is None:
        return "unknown"
    low, typical, high = ((found[key] or 0.0) / unit for key in ("low", "typical", "high"))
    return f"{typical:.0f} {name} ({low:.0f} to {high:.0f})"


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"the params are no JSON: {error}") from error
    if not isinstance(found, dict):
        raise typer.BadParameter("the params are no JSON object")
    return found
