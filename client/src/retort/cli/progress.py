"""Following a job as a build tool would, with and without a terminal."""

from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.progress import TaskID as BarId

from retort import Job, Retort
from retort.cli import show
from retort.errors import failure_of
from retort.parts import Progress as Sent
from retort.stream import Event

#: seconds above which the remaining time is told in minutes
_MINUTES = 120


def follow_job(client: Retort, job: Job, *, quiet: bool = False) -> Job:
    """Show progress until the job has ended; the ended job. Ctrl-C detaches: the job runs on.

    Raises JobFailed unless it succeeded.
    """
    try:
        if quiet:
            return client.jobs.wait(job)
        _watch(client, job)
        ended = client.jobs.get(job)
    except KeyboardInterrupt:
        show.err.print("\ndetached; the job runs on")
        show.err.print(f"next: retort jobs follow {job.id}   |   retort jobs cancel {job.id}")
        raise
    if ended.state != "succeeded":
        raise failure_of(ended)
    return ended


def run(client: Retort, job: Job, *, detach: bool, as_json: bool) -> Job | None:
    """Follow the job; None when detached."""
    if detach:
        if as_json:
            show.as_json(job)
        else:
            show.say(job.id)
            show.next_(("jobs", "follow", job.id))
        return None
    ended = follow_job(client, job, quiet=as_json)
    if as_json:
        show.as_json(ended)
    for warning in ended.warnings:
        show.warn(str(warning["detail"]))
    return ended


def sending(name: str) -> Sent | None:
    """A bar for an upload; none without a terminal."""
    if not show.err.is_terminal:
        return None
    bar = _bar()
    task: list[BarId] = []

    def tell(done: int, total: int) -> None:
        if not task:
            bar.start()
            task.append(bar.add_task(f"upload {name}", total=total, note=""))
        bar.update(task[0], completed=done)
        if done >= total:
            bar.stop()

    return tell


def _watch(client: Retort, job: Job) -> None:
    if not show.err.is_terminal:
        _lines(client, job)
        return
    with _bar() as bar, client.jobs.follow(job) as events:
        task = bar.add_task(job.kind, total=100, note=job.state)
        for event in events:
            if event.type == "progress":
                bar.update(task, completed=event.data.get("percent") or 0, note=_note(event.data))
            elif event.state is not None:
                bar.update(task, note=event.state)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
        console=show.err,
        transient=True,
    )


def _lines(client: Retort, job: Job) -> None:
    """A line at each state and stage, and at every quarter: what a log keeps."""
    told: Any = None
    with client.jobs.follow(job) as events:
        for event in events:
            line = _line(event)
            if line is not None and line[0] != told:
                told = line[0]
                show.tell(f"{job.kind}: {line[1]}")


def _line(event: Event) -> tuple[Any, str] | None:
    """(what makes it worth a line, the line)."""
    if event.state is not None:
        return event.state, event.state
    if event.type != "progress":
        return None
    percent = float(event.data.get("percent") or 0)
    return (event.data.get("stage"), percent // 25), f"{percent:3.0f} % {_note(event.data)}"


def _note(progress: dict[str, Any]) -> str:
    words = f"{progress.get('stage') or ''} {progress.get('message') or ''}".strip()[:60]
    return ", ".join(part for part in (words, *_speed(progress)) if part)


def _speed(progress: dict[str, Any]) -> list[str]:
    """`1,250 rows/s`, `12 s left`; nothing before the first part has ended."""
    rate, left = progress.get("per_second"), progress.get("remaining_seconds")
    if not rate or not progress.get("done"):
        return []
    unit = progress.get("unit") or "row"
    shown = f"{rate:,.0f} {unit}s/s" if rate >= 1 else f"{60 * rate:,.1f} {unit}s/min"
    if not left:
        return [shown]
    return [shown, f"{left:,.0f} s left" if left < _MINUTES else f"{left / 60:,.0f} min left"]
