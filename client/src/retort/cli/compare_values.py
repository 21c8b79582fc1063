"""`retort compare-values`: predictions against simulation or measurement."""

from typing import Annotated, Any

import typer

from retort.cli import show
from retort.cli.options import AsJson, DryRun
from retort.cli.session import connect
from retort.records import Json

app = typer.Typer()

_WORST = 5


@app.command("compare-values")
def compare_values(
    dataset: Annotated[
        str | None, typer.Argument(help="Data set of the reference; left out with --value.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Its column of measured or simulated numbers.")
    ] = None,
    predicted: Annotated[
        str | None, typer.Option(help="Its column of predictions; of a job or model the target.")
    ] = None,
    job: Annotated[str | None, typer.Option(help="Predictions of this predict job.")] = None,
    model: Annotated[str | None, typer.Option(help="Predictions of this model's test.")] = None,
    part: Annotated[str | None, typer.Option(help="Of a model: test or out_of_fold.")] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(help="PROPERTY=PREDICTED,REFERENCE instead of columns; repeatable."),
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Of the predictions.")] = None,
    reference_unit: Annotated[str | None, typer.Option(help="Of the reference.")] = None,
    tolerance: Annotated[float | None, typer.Option(help="An error up to this is good.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Errors of predictions against simulation or measurement, with a grade and its rule."""
    sent = (
        _given(value, unit, reference_unit, tolerance)
        if value
        else _stored(dataset, predicted, reference, job, model, part, unit, reference_unit)
        | {"tolerance": tolerance}
    )
    with connect() as client:
        name = "compare_values" if value else "compare_stored"
        if dry_run:
            show.say(getattr(client.curl, name)(**sent))
            return
        found = getattr(client, name)(**sent)
    if as_json:
        show.as_json(found)
    else:
        _show(found)


def _given(
    values: list[str], unit: str | None, reference_unit: str | None, tolerance: float | None
) -> dict[str, Any]:
    predicted: dict[str, float] = {}
    reference: dict[str, float] = {}
    for text in values:
        name, _, numbers = text.rpartition("=")
        try:
            predicted[name], reference[name] = map(float, numbers.split(","))
        except ValueError as error:
            raise typer.BadParameter(f"{text!r} is not PROPERTY=PREDICTED,REFERENCE") from error
    said = {"units": unit, "reference_units": reference_unit, "tolerances": tolerance}
    for_all = {n: dict.fromkeys(predicted, v) for n, v in said.items() if v is not None}
    return {"predicted": predicted, "reference": reference, **for_all}


def _stored(
    dataset: str | None,
    predicted: str | None,
    reference: str | None,
    job: str | None,
    model: str | None,
    part: str | None,
    unit: str | None,
    reference_unit: str | None,
) -> dict[str, Any]:
    if dataset is None or reference is None:
        raise typer.BadParameter("name a data set and its column --reference, or give --value")
    source = {"job": job} if job else {"model": model, "part": part} if model else None
    if source is None and predicted is None:
        raise typer.BadParameter("name the predictions: --predicted COLUMN, --job or --model")
    side = {**(source or {"dataset": dataset}), "column": predicted, "unit": unit}
    other = {"dataset": dataset, "column": reference, "unit": reference_unit}
    return {"predicted": side, "reference": other}


def _show(found: Json) -> None:
    names = ("n", "mae", "rmse", "bias", "r2", "spearman")
    rows = [
        (name, *(_number(summary[figure]) for figure in names), summary["unit"], _grade(summary))
        for name, summary in found["properties"].items()
    ]
    show.table("", ("property", *names, "unit", "grade"), rows)
    for name, summary in found["properties"].items():
        show.say(f"{name}: {summary['quality']['rule']}")
        show.say(f"  {summary['recommendation']}")
    _show_worst(found)
    for note in found["notes"]:
        show.say(f"note: {note}")


def _show_worst(found: Json) -> None:
    matched = found["matched"]
    if matched is None:
        return
    alone = matched["only_predicted"] + matched["only_reference"]
    show.say(f"{matched['both']} matched by {matched['by']}, {alone} on one side only; the worst:")
    names = ("predicted", "reference", "error")
    rows = [
        (item["id"], *(_number(value[name]) for name in names))
        for item in found["items"][:_WORST]
        for value in item["comparisons"].values()
    ]
    show.table("", (matched["by"], *names), rows)


def _grade(summary: Json) -> str:
    return summary["quality"]["grade"] or "-"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}"
