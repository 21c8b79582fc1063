"""Events of the server in memory: made of its jobs when somebody looks. Its stream tells what there
is, and ends, as one that broke: a client asks again.
"""

import json

import httpx

from retort.testing.routing import respond, route
from retort.testing.state import Asked, Json, State, not_found, page

#: kind of a job that has ended well, to the type of its event
_SUCCEEDED = {
    "ingest": "DatasetIngested",
    "featurize": "FeatureVectorsCalculated",
    "train": "ModelTrained",
    "optimize": "TrainingOptimized",
    "evaluate": "ModelEvaluated",
    "predict": "PropertiesPredicted",
}
_FAILED = {
    "ingest": "DatasetIngestionFailed",
    "featurize": "FeatureVectorsCalculationFailed",
    "train": "TrainingFailed",
    "optimize": "TrainingOptimizationFailed",
    "predict": "PredictionFailed",
}


@route("GET", "/api/v1/events")
def events(state: State, asked: Asked) -> Json:
    told = _told(state)
    return {**page(_matching(told, asked), asked.query), "newest_seq": len(told)}


@route("GET", "/api/v1/events/stream")
def stream(state: State, asked: Asked) -> httpx.Response:
    told = _told(state)
    last = asked.headers.get("last-event-id", "")
    # without a place to begin at, from the first one on: nothing happens here later
    place = int(last) if last.isdecimal() and int(last) < len(told) else 0
    chosen = _matching(told[place:], asked)
    text = "".join(
        f"id: {told.index(one) + 1}\nevent: {one['type']}\ndata: {json.dumps(one)}\n\n"
        for one in chosen
    )
    headers = {"content-type": "text/event-stream"}
    return httpx.Response(200, content=text.encode(), headers=headers)


@route("GET", "/schemas")
def schemas(state: State, asked: Asked) -> Json:
    items = [
        {
            "type": name,
            "version": 1,
            "schema_path": f"/schemas/{name}/1",
            "sent": True,
            "description": "",
        }
        for name in _types()
    ]
    return {"items": items, "next_cursor": None}


@route("GET", "/schemas/{name}/{version}")
def schema(state: State, asked: Asked, name: str, version: str) -> Json:
    if name not in _types() or version != "1":
        raise not_found(f"event type {name!r} of version {version}")
    return {"title": name, "type": "object", "properties": {"type": {"const": name}}}


@route("GET", "/asyncapi.json")
def asyncapi(state: State, asked: Asked) -> httpx.Response:
    messages = {name: {"name": name} for name in _types()}
    info = {"title": "Retort events", "version": "fake"}
    return respond({"asyncapi": "3.0.0", "info": info, "components": {"messages": messages}})


def _types() -> list[str]:
    return ["JobStateChanged", *_SUCCEEDED.values(), *_FAILED.values()]


def _told(state: State) -> list[Json]:
    """In the order in which jobs were submitted."""
    found: list[Json] = []
    for job in state.jobs.values():
        if job["state"] in ("succeeded", "failed", "cancelled"):
            found.append(_event(job, "JobStateChanged", {"state": job["state"]}))
        named = (_SUCCEEDED if job["state"] == "succeeded" else _FAILED).get(job["kind"])
        if named is not None and job["state"] in ("succeeded", "failed", "cancelled"):
            found.append(_event(job, named, dict(job.get("result") or {})))
    return found


def _event(job: Json, type_: str, data: Json) -> Json:
    return {
        "specversion": "1.0",
        "id": f"{job['id']}-{type_}",
        "source": "/retort/projects/fake",
        "type": type_,
        "subject": f"jobs/{job['id']}",
        "time": job.get("finished_at") or job["created_at"],
        "datacontenttype": "application/json",
        "dataschema": f"/schemas/{type_}/1",
        "data": {"id": job["id"], "job_id": job["id"], "kind": job["kind"], **data},
    }


def _matching(told: list[Json], asked: Asked) -> list[Json]:
    types, subject = asked.query.get_list("type"), asked.query.get("subject")
    return [
        one
        for one in told
        if (not types or one["type"] in types) and subject in (None, one["subject"])
    ]
