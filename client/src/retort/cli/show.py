"""How things look in a terminal: tables, progress that follows the stream, problems."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from retort.client import Json, Retort
from retort.errors import JobFailed, RetortError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def complain(error: RetortError) -> None:
    """What is wrong, in which fields, what to do, and where an operator finds it."""
    err.print(f"[red]{error.detail}[/red]", markup=True)
    for field in error.fields[:10]:
        err.print(f"  {field['pointer']}: {field['detail']}", markup=False)
    if error.remedy:
        err.print(f"→ {error.remedy}", markup=False)
    if request_id := error.problem.get("request_id"):
        err.print(f"  request {request_id}", style="dim")


def as_json(value: Any) -> None:
    out.print_json(json.dumps(value, default=str))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    shown = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*("" if cell is None else str(cell) for cell in row))
    out.print(shown)


def follow_job(client: Retort, job: Json, *, quiet: bool = False) -> Json:
    """Show progress until the job has ended; the ended job. Ctrl-C detaches: the job runs on.

    Raises JobFailed unless it succeeded.
    """
    try:
        ended = client.jobs.wait(job["id"]) if quiet else _bar(client, job)
    except KeyboardInterrupt:
        err.print(f"\ndetached; the job runs on. Follow it: retort jobs follow {job['id']}")
        raise
    return ended


def _bar(client: Retort, job: Json) -> Json:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}", style="dim"),
        console=out,
        transient=out.is_terminal,
    )
    with bar:
        task = bar.add_task(job["kind"], total=100, note=job["state"])
        for event in client.jobs.follow(job["id"]):
            if event.type == "progress":
                said = event.data.get("message") or ""
                note = f"{event.data.get('stage', '')} {said}".strip()
                bar.update(task, completed=event.data.get("percent", 0), note=note[:60])
            elif event.type == "state":
                bar.update(task, note=event.data["data"]["state"])
    ended = client.jobs.get(job["id"])
    if ended["state"] != "succeeded":
        raise JobFailed(ended)
    return ended


def figure(value: Json | None) -> str:
    """0.576 [0.51, 0.64]."""
    if not value or value.get("value") is None:
        return "-"
    text = f"{value['value']:.3f}"
    if value.get("ci_low") is not None:
        text += f" [{value['ci_low']:.3f}, {value['ci_high']:.3f}]"
    return text


def main_metric(task: str) -> str:
    return {"regression": "rmse", "binary": "roc_auc"}.get(task, "balanced_accuracy")


def show_model(model: Json) -> None:
    """Test metrics of each target beside the baseline."""
    metrics = model["metrics"]
    names = sorted({name for found in metrics["test"].values() for name in found})
    out.print(f"[bold]{model['ref']}[/bold]  {model['algorithm']}, {model['task']}")
    rows = [
        (target, name, figure(found.get(name)), figure(metrics["baseline"][target].get(name)))
        for target, found in list(metrics["test"].items())[:20]
        for name in names
    ]
    table("", ("target", "metric", "test [95 %]", "baseline"), rows)


def show_predictions(items: Sequence[Json]) -> None:
    rows = []
    for item in items:
        if item["status"] != "ok":
            rows.append((item["input"], "-", "", item["reason"]))
            continue
        for target, answer in item["targets"].items():
            value = answer.get("class") or f"{answer['value']:.3f}"
            span = answer.get("interval")
            interval = f"[{span[0]:.2f}, {span[1]:.2f}]" if span else ""
            if "class" in answer:
                interval = f"p = {answer['value']:.2f}"
            rows.append((item["input"], value, interval, target))
    table("", ("input", "prediction", "90 %", "target or reason"), rows)
