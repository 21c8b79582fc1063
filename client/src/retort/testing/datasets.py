"""Data sets of the server in memory."""

import httpx

from retort.html import table
from retort.testing.jobs import add_job
from retort.testing.routing import respond, route
from retort.testing.science import csv_text
from retort.testing.state import (
    Asked,
    Json,
    Refused,
    State,
    digest,
    find,
    merge_patch,
    new_id,
    now,
    page,
    versioned,
)

_FIELDS = frozenset(
    {
        *("file_id", "name", "format", "kind", "roles", "types", "units", "sheet", "decimal"),
        *("personal", "duplicates", "max_bad_fraction", "labels"),
    }
)


@route("POST", "/api/v1/datasets")
def create(state: State, asked: Asked) -> httpx.Response:
    body = asked.body()
    check_fields(body, _FIELDS)
    dataset = new_dataset(state, body)
    job = add_job(state, "ingest", {**body, "dataset_id": dataset["id"]}, {})
    dataset["job_id"] = job["id"]
    return respond(dataset, 202, {"Location": f"/api/v1/jobs/{job['id']}"})


def new_dataset(state: State, params: Json) -> Json:
    find(state.files, str(params.get("file_id")), "file")
    number = 1 + sum(known["name"] == params["name"] for known in state.datasets.values())
    dataset = {
        "id": new_id(),
        "name": params["name"],
        "number": number,
        "ref": f"{params['name']}:{number}",
        "state": "ingesting",
        "kind": "molecule",
        "file_id": params["file_id"],
        "job_id": None,
        "columns": [],
        "rows_in": None,
        "rows_ok": None,
        "rows_rejected": None,
        "rows_merged": None,
        "sha256": None,
        "labels": {},
        "created_at": now(),
    }
    state.datasets[dataset["id"]] = dataset
    return dataset


def check_fields(body: Json, known: frozenset[str]) -> None:
    """Raises Refused for the first field that is not known, as the server does."""
    for name in body:
        if name not in known:
            detail = f"there is no field {name!r}"
            raise Refused(
                422,
                "invalid_request",
                detail,
                errors=[{"pointer": f"/{name}", "code": "extra_forbidden", "detail": detail}],
            )


@route("GET", "/api/v1/datasets")
def datasets(state: State, asked: Asked) -> Json:
    found = [
        dataset
        for dataset in state.datasets.values()
        if asked.query.get("name") in (None, dataset["name"])
        and asked.query.get("kind") in (None, dataset["kind"])
    ]
    return page(found, asked.query)


@route("GET", "/api/v1/datasets/{ref}")
def one(state: State, asked: Asked, ref: str) -> Json:
    return versioned(state.datasets, ref, "data set")


@route("PATCH", "/api/v1/datasets/{ref}")
def label(state: State, asked: Asked, ref: str) -> Json:
    dataset = versioned(state.datasets, ref, "data set")
    dataset["labels"] = merge_patch(dataset["labels"], asked.body()["labels"])
    return dataset


def _ready(state: State, ref: str) -> Json:
    dataset = versioned(state.datasets, ref, "data set")
    if dataset["state"] != "ready":
        raise Refused(409, "conflict", f"the data set {dataset['ref']} is not ready")
    return dataset


@route("GET", "/api/v1/datasets/{ref}/report")
def report(state: State, asked: Asked, ref: str) -> Json:
    return state.reports[_ready(state, ref)["id"]]


@route("GET", "/api/v1/datasets/{ref}/report.html")
def report_html(state: State, asked: Asked, ref: str) -> httpx.Response:
    counts = state.reports[_ready(state, ref)["id"]]["counts"]
    return httpx.Response(200, html=f"<html>{table(('what', 'rows'), counts.items())}</html>")


@route("GET", "/api/v1/datasets/{ref}/rejected")
def rejected(state: State, asked: Asked, ref: str) -> httpx.Response:
    rows = state.reports[_ready(state, ref)["id"]]["rejected"]
    return httpx.Response(200, text=csv_text(rows, ["row", "value", "reason"]))


@route("GET", "/api/v1/datasets/{ref}/rows")
def rows(state: State, asked: Asked, ref: str) -> Json:
    offset, limit = int(asked.query.get("offset", 0)), int(asked.query.get("limit", 20))
    return {"items": state.rows[_ready(state, ref)["id"]][offset : offset + limit]}


@route("GET", "/api/v1/datasets/{ref}/splits")
def splits(state: State, asked: Asked, ref: str) -> Json:
    dataset_id = _ready(state, ref)["id"]
    models = [m for m in state.models.values() if m["dataset_id"] == dataset_id]
    return {"items": [_split(state, model) for model in models]}


@route("GET", "/api/v1/datasets/{ref}/splits/{split_id}")
def split(state: State, asked: Asked, ref: str, split_id: str) -> Json:
    dataset_id = _ready(state, ref)["id"]
    known = {m["split_id"]: m for m in state.models.values() if m["dataset_id"] == dataset_id}
    model = find(known, split_id, "split")
    return _parts(len(state.rows[dataset_id])) | _split(state, model)


def _split(state: State, model: Json) -> Json:
    params = model["training_config"].get("split") or {}
    parts = _parts(len(state.rows[model["dataset_id"]]))
    return {
        "id": model["split_id"],
        "splitter": params.get("name", "random"),
        "params": params.get("params", {}),
        "seed": params.get("seed", 0),
        "hash": digest(parts),
        "sizes": {name: len(rows) for name, rows in parts.items()},
        "test_uses": 1,
        "created_at": model["created_at"],
        "fake": True,
    }


def _parts(n: int) -> Json:
    """Every tenth row is tested, and every tenth one validates."""
    return {
        "train": [row for row in range(n) if row % 10 > 1],
        "validation": [row for row in range(n) if row % 10 == 1],
        "test": [row for row in range(n) if row % 10 == 0],
    }


@route("GET", "/api/v1/datasets/{ref}/diff")
def diff(state: State, asked: Asked, ref: str) -> Json:
    dataset = _ready(state, ref)
    before = f"{dataset['name']}:{dataset['number'] - 1}"
    other = _ready(state, asked.query.get("against", before))
    mine, theirs = state.rows[dataset["id"]], state.rows[other["id"]]
    examples = {
        "added": [row for row in mine if row not in theirs],
        "removed": [row for row in theirs if row not in mine],
        "changed": [],
    }
    counts = {name: len(rows) for name, rows in examples.items()}
    counts |= {"before": len(theirs), "after": len(mine)}
    return {
        "dataset": dataset["ref"],
        "against": other["ref"],
        "equal": not examples["added"] and not examples["removed"],
        "matched_by": "row",
        "rows": {**counts, "unchanged": len(mine) - counts["added"]},
        "columns": {"added": [], "removed": [], "changed": []},
        "examples": {name: rows[:50] for name, rows in examples.items()},
    }


@route("GET", "/api/v1/datasets/{ref}/lineage")
def lineage(state: State, asked: Asked, ref: str) -> Json:
    dataset = versioned(state.datasets, ref, "data set")
    models = [m for m in state.models.values() if m["dataset_id"] == dataset["id"]]
    return {
        "file": state.files[dataset["file_id"]],
        "ingest": {"id": dataset["job_id"]},
        "versions": [d for d in state.datasets.values() if d["name"] == dataset["name"]],
        "splits": [],
        "models": [{"id": m["id"], "ref": m["ref"], "aliases": m["aliases"]} for m in models],
        "predictions": [],
        "more": [],
    }
