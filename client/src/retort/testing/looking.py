"""Events, logs and files of jobs in memory; workflows."""

import json
import re
from typing import Any

import httpx

from retort.stream import TERMINAL
from retort.testing.jobs import add_job, advance, finish
from retort.testing.routing import respond, route
from retort.testing.state import Asked, Json, Refused, State, find, new_id, page


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
            "id": str(event["id"]),
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
        if asked.query.get("level", line["level"]).lower() == line["level"]
        and asked.query.get("q", "") in str(line["text"])
        and int(asked.query.get("after", 0)) < int(str(line["id"]))
    ]
    return {"items": list(reversed(page(wanted, asked.query)["items"])), "next_cursor": None}


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
    made: dict[str, Json] = {}
    for key, job in asked.body()["jobs"].items():
        if wrong := [need for need in job.get("needs") or [] if need not in made]:
            raise Refused(422, "unknown_name", f"{key} needs {wrong[0]!r}, which is no earlier job")
        needs = [made[need] for need in job.get("needs") or []]
        for need in needs:
            finish(state, need)
        params = _filled(job["params"], made)
        fields = {**job, "needs": [need["id"] for need in needs]}
        made[key] = add_job(state, job["kind"], params, fields)
    workflow_id = new_id()
    state.workflows[workflow_id] = {key: job["id"] for key, job in made.items()}
    return respond({"id": workflow_id, "jobs": made}, 202)


def _filled(params: Any, made: dict[str, Json]) -> Any:
    """{"$from": "key.result.name"} becomes what that job found."""
    if isinstance(params, dict) and set(params) == {"$from"}:
        key, *names = re.split(r"\.", params["$from"])
        value: Any = made[key]
        for name in names:
            value = value[name]
        return value
    if isinstance(params, dict):
        return {name: _filled(value, made) for name, value in params.items()}
    return params


@route("GET", "/api/v1/workflows/{workflow_id}")
def workflow(state: State, asked: Asked, workflow_id: str) -> Json:
    keys = find(state.workflows, workflow_id, "workflow")
    for job_id in keys.values():
        advance(state, state.jobs[job_id])
    jobs = {key: state.jobs[job_id] for key, job_id in keys.items()}
    done = all(job["state"] in TERMINAL for job in jobs.values())
    return {"id": workflow_id, "done": done, "jobs": jobs}
