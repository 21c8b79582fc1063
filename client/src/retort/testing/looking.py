"""Events, logs and files of jobs in memory; workflows."""

import json
from typing import Any

import httpx

from retort.stream import TERMINAL
from retort.testing.jobs import add_job, advance, finish
from retort.testing.routing import respond, route
from retort.testing.science import read_rows
from retort.testing.state import Asked, Json, Refused, State, find, new_id

#: a level asks for itself and the worse ones
_LEVELS = ("debug", "info", "warning", "error")


@route("GET", "/api/v1/jobs/{job_id}/events")
def events(state: State, asked: Asked, job_id: str) -> httpx.Response:
    job = find(state.jobs, job_id, "job")
    since = int(asked.headers.get("last-event-id") or asked.query.get("after") or 0)
    if "text/event-stream" not in asked.headers.get("accept", ""):
        found = [event for event in state.events[job_id] if event["id"] > since]
        return respond({"items": found})
    finish(state, job)
    text = ""
    for event in state.events[job_id]:
        if event["id"] <= since:
            continue
        text += f"id: {event['id']}\nevent: state\ndata: {json.dumps(event)}\n\n"
        if event["data"]["state"] == "running":
            progress = {"percent": 50.0, "stage": job["kind"]}
            text += f"event: progress\ndata: {json.dumps(progress)}\n\n"
    return httpx.Response(200, text=text, headers={"content-type": "text/event-stream"})


@route("GET", "/api/v1/jobs/{job_id}/logs")
def logs(state: State, asked: Asked, job_id: str) -> Json:
    job = find(state.jobs, job_id, "job")
    lines = [
        {
            "id": event["id"],
            "at": event["at"],
            "attempt": max(job["attempt"], 1),
            "chunk": None,
            "level": "error" if event["data"]["state"] == "failed" else "info",
            "logger": "retort.fake",
            "text": f"the job is {event['data']['state']}",
        }
        for event in state.events[job_id]
    ]
    wanted = [
        line
        for line in lines
        if _LEVELS.index(line["level"]) >= _LEVELS.index(asked.query.get("level", "debug").lower())
        and asked.query.get("q", "") in str(line["text"])
        and int(asked.query.get("cursor") or asked.query.get("after") or 0) < line["id"]
    ]
    limit = int(asked.query.get("limit", 200))
    more = len(wanted) > limit
    shown = wanted[:limit]
    return {"items": shown, "next_cursor": str(shown[-1]["id"]) if more else None}


@route("GET", "/api/v1/jobs/{job_id}/predictions")
def predictions(state: State, asked: Asked, job_id: str) -> Json:
    job = find(state.jobs, job_id, "job")
    if job["kind"] != "predict":
        raise Refused(422, "no_rows_here", f"the job is of kind {job['kind']}")
    made = [
        file
        for file in state.files.values()
        if file["job_id"] == job_id and file["name"] == "predictions.csv"
    ]
    rows = read_rows(state.contents[made[0]["sha256"]]) if made else []
    start = int(asked.query.get("cursor") or asked.query.get("start") or 1)
    stop = start + int(asked.query.get("limit", 100))
    return {
        "items": [_typed(row) for row in rows[start - 1 : stop - 1]],
        "missing": [],
        "rows_total": len(rows) if made else None,
        "state": job["state"],
        "next_cursor": str(stop) if stop <= len(rows) else None,
    }


def _typed(row: Json) -> Json:
    """A row of predictions.csv with numbers as numbers; an empty cell is nothing."""
    typed: Json = {name: _value(cell) for name, cell in row.items()}
    words = {name: row[name] or None for name in ("id", "status", "reason")}
    return typed | words | {"row": int(row["row"])}


def _value(cell: str) -> float | str | None:
    try:
        return float(cell)
    except ValueError:
        return cell or None


@route("GET", "/api/v1/jobs/{job_id}/artifacts")
def artifacts(state: State, asked: Asked, job_id: str) -> Json:
    find(state.jobs, job_id, "job")
    return {"items": [file for file in state.files.values() if file["job_id"] == job_id]}


@route("GET", "/api/v1/jobs/{job_id}/attempts")
def attempts(state: State, asked: Asked, job_id: str) -> Json:
    job = find(state.jobs, job_id, "job")
    return {"items": [{"attempt": n} for n in range(1, job["attempt"] + 1)]}


@route("GET", "/api/v1/jobs/{job_id}/chunks")
def chunks(state: State, asked: Asked, job_id: str) -> Json:
    find(state.jobs, job_id, "job")
    return {"items": []}


@route("POST", "/api/v1/workflows")
def run(state: State, asked: Asked) -> httpx.Response:
    """In the order of their needs; what comes from another's result makes it a need too."""
    left = dict(asked.body()["jobs"])
    made: dict[str, Json] = {}
    while left:
        key = next((key for key, job in left.items() if _needs(job) <= made.keys()), None)
        if key is None:
            raise Refused(422, "unknown_name", f"{', '.join(left)} need what is no job before them")
        job = left.pop(key)
        needs = [made[need] for need in sorted(_needs(job))]
        for need in needs:
            finish(state, need)
        fields = {**job, "needs": [need["id"] for need in needs]}
        made[key] = add_job(state, job["kind"], _filled(job["params"], made), fields)
    workflow_id = new_id()
    state.workflows[workflow_id] = {key: job["id"] for key, job in made.items()}
    return respond(_workflow(state, workflow_id), 202)


def _needs(job: Json) -> set[str]:
    return {*(job.get("needs") or []), *_sources(job["params"])}


def _sources(params: Any) -> set[str]:
    if isinstance(params, dict) and set(params) == {"$from"}:
        return {params["$from"].partition(".")[0]}
    inner = params.values() if isinstance(params, dict) else ()
    return {key for value in inner for key in _sources(value)}


def _filled(params: Any, made: dict[str, Json]) -> Any:
    """{"$from": "key.result.name"} becomes what that job found."""
    if isinstance(params, dict) and set(params) == {"$from"}:
        key, *names = params["$from"].split(".")
        value: Any = made[key]
        for name in names:
            value = value[name]
        return value
    if isinstance(params, dict):
        return {name: _filled(value, made) for name, value in params.items()}
    return params


@route("GET", "/api/v1/workflows/{workflow_id}")
def workflow(state: State, asked: Asked, workflow_id: str) -> Json:
    for job_id in find(state.workflows, workflow_id, "workflow").values():
        advance(state, state.jobs[job_id])
    return _workflow(state, workflow_id)


def _workflow(state: State, workflow_id: str) -> Json:
    jobs = {key: state.jobs[job_id] for key, job_id in state.workflows[workflow_id].items()}
    states = {job["state"] for job in jobs.values()}
    worst = next((s for s in ("cancelled", "failed") if s in states), "succeeded")
    return {
        "id": workflow_id,
        "state": worst if states <= TERMINAL else "running",
        "jobs": jobs,
        "links": {"self": f"/api/v1/workflows/{workflow_id}"},
    }
