"""`retort compare`: candidates on the same folds."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from retort.cli import show
from retort.cli.learn import Deadline, Features, Leaks, Split, SplitSettings, Task, submit
from retort.cli.options import (
    AsJson,
    Detach,
    DryRun,
    Labels,
    Targets,
    pairs,
    settings,
    value_of,
    words,
)

app = typer.Typer()

Candidates = Annotated[
    list[str],
    typer.Option(
        "--candidate",
        help="ALGORITHM, or ALGORITHM:features=a+b,name=N,parameter=value; repeatable.",
    ),
]


@app.command()
def compare(
    dataset: str,
    candidate: Candidates,
    target: Targets = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="The first decides; repeatable. Left out: two.")
    ] = None,
    folds: Annotated[int, typer.Option(min=2)] = 5,
    repeats: Annotated[int, typer.Option(min=1)] = 5,
    matters: Annotated[
        float | None, typer.Option(help="A smaller difference does not matter to you.")
    ] = None,
    y_scrambling: Annotated[
        int, typer.Option(min=0, help="Permutations of the labels, to see what chance reaches.")
    ] = 0,
    learning_curve: Annotated[
        str | None, typer.Option(help="Parts of the training rows: 0.25,0.5,0.75")
    ] = None,
    features: Features = None,
    split: Split = "random",
    split_set: SplitSettings = None,
    seed: int = 0,
    task: Task = None,
    leaks: Leaks = None,
    labels: Labels = None,
    deadline: Deadline = None,
    detach: Detach = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Which of several models is better, and whether the difference is real."""
    params = {
        "target": target,
        "metrics": metric,
        "folds": folds,
        "repeats": repeats,
        "practical_difference": matters,
        "y_scrambling": y_scrambling or None,
        "learning_curve": [_fraction(word) for word in words(learning_curve) or ()] or None,
        "features": words(features),
        "split": {"name": split, "params": settings(split_set), "seed": seed},
        "seed": seed,
        "task": task,
        "leaks": leaks,
        "labels": pairs(labels) or None,
        "deadline_seconds": deadline,
    }
    candidates = [read_candidate(text) for text in candidate]
    ended = submit(
        lambda client: client.compare(dataset, candidates, **params),
        dry_run=dry_run,
        detach=detach,
        as_json=as_json,
    )
    if ended and not as_json:
        show_comparison(ended["result"])
        show.next_(("jobs", "download", ended.id, "comparison.html"))


def read_candidate(text: str) -> dict[str, Any]:
    """`ridge:features=maccs+erg,alpha=3` is the algorithm with its parameters and features."""
    algorithm, _, rest = text.partition(":")
    given = pairs(words(rest))
    said: dict[str, Any] = {}
    if "features" in given:
        said["features"] = [word for word in given.pop("features").split("+") if word]
    if "name" in given:
        said["name"] = given.pop("name")
    params = {name: value_of(value) for name, value in given.items()}
    return {"algorithm": {"name": algorithm, "params": params}, **said}


def _fraction(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no part of the rows, such as 0.5") from None


def show_comparison(found: Mapping[str, Any]) -> None:
    """Scores of each candidate in every metric, its group, and what may be concluded."""
    metrics = found["metrics"]
    show.table("", _columns(metrics, found), _rows(found))
    told = metrics[found["metric"]]
    if len(told["candidates"]) > 1:
        show.say(
            f"mean ± spread over {told['n_folds']} folds; who shares a letter is not different"
        )
    show.say(found["conclusion"])
    for sort in ("y_scrambling", "learning_curve"):
        for name, about in found[sort].items():
            show.say(f"{sort.replace('_', '-')}, {name}: {about['sentence']}")
    for sentence in found["caution"]:
        show.say(sentence)


def _columns(metrics: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    shown = {name: _shown(name, of) for name, of in metrics.items()}
    others = [shown[name] for name in metrics if name != found["metric"]]
    return ["candidate", shown[found["metric"]], "group", *others, "s per fit"]


def _shown(name: str, metric: Mapping[str, Any]) -> str:
    """Errors of several targets are told relative to the baseline, as they may differ in unit."""
    return f"{name} / baseline" if metric.get("scales") else name


def _rows(found: Mapping[str, Any]) -> list[list[str]]:
    metrics = found["metrics"]
    main = metrics[found["metric"]]
    others = [of for name, of in metrics.items() if name != found["metric"]]
    rows = []
    for one in main["candidates"]:
        name = one["name"]
        seconds = found["fit_seconds"].get(name)
        also = [_score(_of(name, of)) for of in others]
        rows.append([name, _score(one), one["group"], *also, _plain(seconds)])
    baseline = [_plain(of["baseline"]["mean"]) for of in (main, *others)]
    rows.append(["(mean or majority)", baseline[0], "", *baseline[1:], ""])
    return rows


def _of(name: str, metric: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((one for one in metric["candidates"] if one["name"] == name), None)


def _score(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "-"
    return _plain(one["mean"]) + ("" if one["std"] is None else f" ± {one['std']:.3f}")


def _plain(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
