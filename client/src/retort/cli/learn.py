"""`retort train`, `optimize`, `evaluate`, `featurize`."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from retort import Job, Retort
from retort.cli import show
from retort.cli.measured import show_evaluation
from retort.cli.options import (
    AsJson,
    Detach,
    DryRun,
    Labels,
    Settings,
    Targets,
    pairs,
    settings,
    words,
)
from retort.cli.progress import run
from retort.cli.session import connect

app = typer.Typer()

Algorithm = Annotated[str, typer.Option(help="See: retort catalog algorithms")]
Features = Annotated[
    str | None, typer.Option(help="Comma separated; left out: the default recipe.")
]
Split = Annotated[
    str, typer.Option(help="random, stratified, scaffold, butina, time, group, column")
]
SplitSettings = Annotated[
    list[str] | None,
    typer.Option("--split-set", help="Parameter of the split, e.g. column=year; repeatable."),
]
Name = Annotated[str | None, typer.Option(help="Model name; left out: the data set's.")]
Alias = Annotated[str | None, typer.Option(help="Point this alias to it.")]
Task = Annotated[
    str | None, typer.Option(help="regression, binary, multiclass; left out: guessed.")
]
Deadline = Annotated[
    float | None, typer.Option("--deadline", help="Seconds after which it is given up.")
]
Calibration = Annotated[
    str | None,
    typer.Option(help="Rows that intervals are calibrated on: cross (folds) or split; auto."),
]
Leaks = Annotated[
    str | None,
    typer.Option(
        help="Findings of the leak audit: report, refuse (those it is sure of), refuse_all."
    ),
]
Asked = Callable[[Any], Any]


def submit(ask: Asked, *, dry_run: bool, detach: bool, as_json: bool) -> Job | None:
    """`ask` a client for a job, and follow it; None when there is nothing to follow."""
    with connect() as client:
        if dry_run:
            show.say(ask(client.curl))
            return None
        ended = run(client, ask(client), detach=detach, as_json=as_json)
        if ended is not None and not as_json:
            _tell_model(client, ended)
        return ended


def _tell_model(client: Retort, job: Job) -> None:
    ref = (job["result"] or {}).get("model_ref")
    if not ref or job.kind not in ("train", "optimize"):
        return
    model = client.models.get(ref)
    show.show_model(model)
    table = client.datasets.get(model["dataset_id"])["kind"] == "table"
    alias = job["result"].get("alias") or {"set": True}
    if not alias["set"]:
        show.say(f"@{alias['alias']} stays where it is: {alias['why']}")
    show.next_(("predict", ref, "rows.csv" if table else "CCO"), ("models", "promote", ref))


@app.command()
def featurize(
    dataset: str,
    features: Features = None,
    labels: Labels = None,
    detach: Detach = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Compute features of a data set now, so that trainings find them."""
    params = {"features": words(features), "labels": pairs(labels) or None}
    submit(
        lambda client: client.featurize(dataset, **params),
        dry_run=dry_run,
        detach=detach,
        as_json=as_json,
    )


@app.command()
def train(
    dataset: str,
    target: Targets = None,
    algorithm: Algorithm = "consensus",
    set_: Settings = None,
    features: Features = None,
    split: Split = "random",
    split_set: SplitSettings = None,
    seed: int = 0,
    task: Task = None,
    calibration: Calibration = None,
    name: Name = None,
    alias: Alias = None,
    leaks: Leaks = None,
    labels: Labels = None,
    deadline: Deadline = None,
    detach: Detach = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Train a model version; --set name=value are parameters of the algorithm."""
    chosen = {"name": split, "params": settings(split_set), "seed": seed}
    params = _learning(target, features, chosen, task, name, alias, labels, deadline)
    params |= {"calibration": calibration, "leaks": leaks}
    params["algorithm"] = {"name": algorithm, "params": settings(set_)}
    submit(
        lambda client: client.train(dataset, **params),
        dry_run=dry_run,
        detach=detach,
        as_json=as_json,
    )


@app.command()
def optimize(
    dataset: str,
    target: Targets = None,
    algorithm: Algorithm = "lightgbm",
    trials: Annotated[int, typer.Option(min=1)] = 20,
    features: Features = None,
    split: Split = "random",
    split_set: SplitSettings = None,
    seed: int = 0,
    task: Task = None,
    name: Name = None,
    alias: Alias = None,
    leaks: Leaks = None,
    labels: Labels = None,
    deadline: Deadline = None,
    detach: Detach = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Tune by cross-validation, then train with the best parameters."""
    chosen = {"name": split, "params": settings(split_set), "seed": seed}
    params = _learning(target, features, chosen, task, name, alias, labels, deadline)
    params["leaks"] = leaks
    ended = submit(
        lambda client: client.optimize(dataset, algorithm=algorithm, trials=trials, **params),
        dry_run=dry_run,
        detach=detach,
        as_json=as_json,
    )
    if ended and not as_json:
        result = ended["result"]
        before = result["default_value"]
        show.say(
            f"{result['metric']} over inner folds: defaults"
            f" {'-' if before is None else f'{before:.4f}'}, best {result['best_value']:.4f}"
        )


@app.command()
def evaluate(
    model: str,
    data: Annotated[str | None, typer.Option(help="Left out: its own test rows.")] = None,
    part: Annotated[str | None, typer.Option(help="test or all")] = None,
    bootstrap: Annotated[int | None, typer.Option(help="Resamples for the intervals.")] = None,
    labels: Labels = None,
    detach: Detach = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Measure a model, on its own test rows or on another data set."""
    params = {"part": part, "bootstrap": bootstrap, "labels": pairs(labels) or None}
    ended = submit(
        lambda client: client.evaluate(model, data, **params),
        dry_run=dry_run,
        detach=detach,
        as_json=as_json,
    )
    if ended and not as_json:
        show_evaluation(ended["result"])
        show.next_(("models", "evaluations", model))


def _learning(
    target: list[str] | None,
    features: str | None,
    split: dict[str, Any],
    task: str | None,
    name: str | None,
    alias: str | None,
    labels: list[str] | None,
    deadline: float | None,
) -> dict[str, Any]:
    return {
        "target": target,
        "features": words(features),
        "split": split,
        "seed": split["seed"],
        "task": task,
        "name": name,
        "alias": alias,
        "labels": pairs(labels) or None,
        "deadline_seconds": deadline,
    }
