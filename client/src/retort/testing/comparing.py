"""Comparisons of the server in memory: the errors are right, the grades are not judged."""

import math
from collections.abc import Sequence
from typing import Any

from retort.testing.routing import route
from retort.testing.science import csv_text, read_rows, value_of
from retort.testing.state import Asked, Json, Refused, State, find, model_of, versioned

_RULE = "the server in memory does not judge"


@route("POST", "/api/v1/comparisons")
def compare(state: State, asked: Asked) -> Json:
    body = asked.body()
    if "items" in body:
        items = body["items"]
        names = dict.fromkeys(n for i in items for n in (*i["predicted"], *i["reference"]))
        columns = {
            name: (
                [i["predicted"].get(name) for i in items],
                [i["reference"].get(name) for i in items],
            )
            for name in names
        }
        units, ids = body.get("units") or {}, [item.get("id") for item in items]
        matched = None
    else:
        name, columns = _stored(state, body["predicted"], body["reference"])
        n = len(columns[name][0])
        units = {name: body["predicted"].get("unit") or body["reference"].get("unit")}
        ids = list(range(1, n + 1))
        matched = {"by": "row", "both": n, "only_predicted": 0, "only_reference": 0, "examples": {}}
    return {
        "properties": {name: _summary(*pair, units.get(name)) for name, pair in columns.items()},
        "items": [_item(columns, place, id_, units) for place, id_ in enumerate(ids)],
        "matched": matched,
        "notes": [],
        "fake": True,
    }


def _stored(state: State, predicted: Json, reference: Json) -> tuple[str, dict[str, Any]]:
    name = str(reference.get("column") or predicted.get("column") or "value")
    sides = (_values(state, predicted), _values(state, reference))
    if len(sides[0]) != len(sides[1]):
        raise Refused(422, "invalid_input", "nothing tells which row belongs to which")
    return name, {name: sides}


def _values(state: State, source: Json) -> list[float | None]:
    if "dataset" in source:
        dataset = versioned(state.datasets, source["dataset"], "data set")
        return [_number(row.get(source["column"])) for row in state.rows[dataset["id"]]]
    if "model" in source:
        model = model_of(state, source["model"])
        target = source.get("column") or model["targets"][0]["name"]
        rows = state.rows[model["dataset_id"]]
        return [value_of(model, target, csv_text([row], list(row))) for row in rows]
    job = find(state.jobs, source["job"], "job")
    files = [f for f in state.files.values() if f["job_id"] == job["id"]]
    made = next((f for f in files if f["name"] == "predictions.csv"), None)
    if made is None:
        raise Refused(422, "invalid_input", f"the job {job['id']} has no predictions")
    rows = read_rows(state.contents[made["sha256"]])
    return [_number(row[source.get("column") or list(row)[-1]]) for row in rows]


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def _summary(predicted: Sequence[Any], reference: Sequence[Any], unit: str | None) -> Json:
    pairs = [
        (p, r) for p, r in zip(predicted, reference, strict=True) if p is not None and r is not None
    ]
    errors = [p - r for p, r in pairs]
    n = len(errors)
    percents = [abs(100 * (p - r) / r) for p, r in pairs if r]
    return {
        "unit": unit,
        "n": n,
        "mae": sum(map(abs, errors)) / n if n else None,
        "rmse": math.sqrt(sum(e * e for e in errors) / n) if n else None,
        "bias": sum(errors) / n if n else None,
        "max_absolute_error": max(map(abs, errors), default=None),
        "mean_percent_error": sum(percents) / len(percents) if percents else None,
        "n_percent": len(percents),
        "r2": None,
        "spearman": None,
        "quality": _quality(),
        "recommendation": _RULE,
        "missing": {},
    }


def _item(columns: Json, place: int, id_: Any, units: Json) -> Json:
    comparisons, missing = {}, {}
    for name, (predicted, reference) in columns.items():
        p, r = predicted[place], reference[place]
        if p is None or r is None:
            missing[name] = "both" if p is r else "predicted" if p is None else "reference"
            continue
        comparisons[name] = {
            "predicted": p,
            "reference": r,
            "unit": units.get(name),
            "error": p - r,
            "absolute_error": abs(p - r),
            "percent_error": 100 * (p - r) / abs(r) if r else None,
            "quality": _quality(),
            "recommendation": _RULE,
        }
    return {"id": id_, "comparisons": comparisons, "missing": missing}


def _quality() -> Json:
    return {"grade": None, "basis": None, "ratio": None, "scale": None, "rule": _RULE}
