"""Jobs of the server in memory: one step further each time that somebody looks."""

import json
from datetime import datetime

import httpx

from retort.stream import TERMINAL
from retort.testing.routing import respond, route
from retort.testing.state import (
    Asked,
    Json,
    Refused,
    State,
    find,
    merge_patch,
    model_of,
    new_id,
    now,
    page,
    problem,
    versioned,
)
from retort.testing.work import WORK

_FIELDS = frozenset(
    {
        *("kind", "params", "needs", "labels", "deadline_seconds", "priority", "client_ref"),
        "correlation_id",
    }
)


def add_job(state: State, kind: str, params: Json, fields: Json) -> Json:
    """Raises Refused for what does not exist."""
    if kind not in WORK:
        raise Refused(422, "invalid_request", f"there is no kind {kind!r}")
    if "dataset" in params and "$from" not in str(params["dataset"]):
        versioned(state.datasets, params["dataset"], "data set")
    if "model" in params and "$from" not in str(params["model"]):
        model_of(state, params["model"])
    job_id = new_id()
    job: Json = {
        "id": job_id,
        "kind": kind,
        "state": "queued",
        "queue": "predict" if kind == "predict" else "cpu",
        "priority": fields.get("priority", 5),
        "params": params,
        "labels": fields.get("labels") or {},
        "needs": fields.get("needs") or [],
        "parent_id": None,
        "rerun_of": fields.get("rerun_of"),
        "progress": {},
        "counts": {},
        "attempt": 0,
        "max_attempts": 3,
        "cancel_requested": False,
        "result": None,
        "error": None,
        "warnings": [],
        "created_by": "fake",
        "correlation_id": fields.get("correlation_id"),
        "client_ref": fields.get("client_ref"),
        "created_at": now(),
        "run_at": None,
        "deadline_at": None,
        "started_at": None,
        "finished_at": None,
        "worker": None,
        "version": 1,
        "links": {"self": f"/api/v1/jobs/{job_id}"},
    }
    state.jobs[job_id] = job
    state.events[job_id] = []
    _tell(state, job)
    return job


def advance(state: State, job: Json) -> None:
    """queued, then running, then how it ends; not while the server is held."""
    if state.held or job["state"] in TERMINAL:
        return
    for need in job["needs"]:
        finish(state, find(state.jobs, need, "job"))
    if job["state"] == "queued":
        job.update(state="running", attempt=job["attempt"] + 1, started_at=now())
        job["progress"] = {"percent": 50.0, "stage": job["kind"]}
        job["version"] += 1
        _tell(state, job)
        return
    told = state.failures.get(job["kind"])
    if told:
        _end(state, job, "failed", error=told.pop(0))
        return
    try:
        result, counts = WORK[job["kind"]](state, job)
    except Refused as error:
        _end(state, job, "failed", error=error.problem)
    else:
        _end(state, job, "succeeded", result=result, counts=counts)


def finish(state: State, job: Json) -> None:
    while not state.held and job["state"] not in TERMINAL:
        advance(state, job)


def _end(state: State, job: Json, ended: str, **facts: object) -> None:
    job.update(facts, state=ended, finished_at=now(), version=job["version"] + 1)
    if job["kind"] == "ingest" and ended != "succeeded":
        state.datasets[job["params"]["dataset_id"]]["state"] = "failed"
    _tell(state, job)


def _tell(state: State, job: Json) -> None:
    """Ids count over all jobs, as the server's do."""
    number = 1 + sum(len(events) for events in state.events.values())
    event = {"id": number, "at": now(), "type": "state", "data": {"state": job["state"]}}
    state.events[job["id"]].append(event)


@route("POST", "/api/v1/jobs")
def submit(state: State, asked: Asked) -> httpx.Response:
    from retort.testing.datasets import check_fields, new_dataset

    body = asked.body()
    check_fields(body, _FIELDS)
    params = body["params"]
    if body["kind"] == "ingest":
        params = {**params, "dataset_id": new_dataset(state, params)["id"]}
    job = add_job(state, body["kind"], params, body)
    if body["kind"] == "ingest":
        state.datasets[params["dataset_id"]]["job_id"] = job["id"]
    return respond(job, 202, {"Location": f"/api/v1/jobs/{job['id']}"})


def matching(state: State, wanted: Json) -> list[Json]:
    """`wanted`: state, kind, parent_id, created_by, labels, ids, q."""
    ids = wanted.get("ids")
    return [
        job
        for job in state.jobs.values()
        if all(
            wanted.get(name) in (None, job[name])
            for name in ("state", "kind", "parent_id", "created_by")
        )
        and (wanted.get("labels") or {}).items() <= job["labels"].items()
        and (ids is None or job["id"] in ids)
        and (wanted.get("q") or "") in json.dumps(job)
        and _created_within(job, wanted)
    ]


def _created_within(job: Json, wanted: Json) -> bool:
    created = datetime.fromisoformat(job["created_at"])
    after, before = wanted.get("created_after"), wanted.get("created_before")
    return (after is None or datetime.fromisoformat(after) < created) and (
        before is None or created < datetime.fromisoformat(before)
    )


@route("GET", "/api/v1/jobs")
def jobs(state: State, asked: Asked) -> Json:
    labels = dict(text.partition(":")[::2] for text in asked.query.get_list("label"))
    found = matching(state, {**dict(asked.query), "labels": labels})
    return page(found, asked.query)


@route("POST", "/api/v1/jobs/bulk")
def bulk(state: State, asked: Asked) -> Json:
    body = asked.body()
    if not body.get("filter"):
        raise Refused(422, "invalid_input", "the filter is empty, and would mean every job")
    found = matching(state, body["filter"])
    changed = [job["id"] for job in found if _concerned(job, body["action"])]
    if not body.get("dry_run", True):
        for job_id in changed:
            _act(state, state.jobs[job_id], body["action"], body.get("labels"))
    return {
        "matched": len(found),
        "changed": len(changed),
        "jobs": changed,
        "dry_run": body.get("dry_run", True),
    }


def _concerned(job: Json, action: str) -> bool:
    """Whether the action would change this job."""
    if action == "retry":
        return bool(job["state"] == "failed")
    return action == "relabel" or job["state"] not in TERMINAL


def _act(state: State, job: Json, action: str, labels: Json | None) -> None:
    if action == "relabel":
        job["labels"] = merge_patch(job["labels"], labels or {})
    elif action == "retry":
        _again(state, job)
    else:
        _stop(state, job)


def _stop(state: State, job: Json) -> None:
    if job["state"] not in TERMINAL:
        error = problem("cancelled_by_user", "the job was cancelled by fake")
        _end(state, job, "cancelled", error=error)


def _again(state: State, job: Json) -> None:
    if job["state"] != "failed":
        raise Refused(409, "conflict", f"a {job['state']} job cannot be retried")
    job.update(state="queued", error=None, finished_at=None, version=job["version"] + 1)
    _tell(state, job)


@route("POST", "/api/v1/jobs/estimate")
def estimate(state: State, asked: Asked) -> Json:
    figures = {"low": 1.0, "typical": 2.0, "high": 4.0}
    return {
        "seconds": figures,
        "peak_memory_bytes": {name: int(value * 2**28) for name, value in figures.items()},
        "basis": {"jobs": 0, "how": "fake"},
    }


@route("GET", "/api/v1/jobs/{job_id}")
def one(state: State, asked: Asked, job_id: str) -> Json:
    job = find(state.jobs, job_id, "job")
    if asked.query.get("wait"):
        finish(state, job)
    else:
        advance(state, job)
    return job


@route("PATCH", "/api/v1/jobs/{job_id}")
def label(state: State, asked: Asked, job_id: str) -> Json:
    job = find(state.jobs, job_id, "job")
    job["labels"] = merge_patch(job["labels"], asked.body()["labels"])
    return job


@route("POST", "/api/v1/jobs/{job_id}/cancel")
def cancel(state: State, asked: Asked, job_id: str) -> httpx.Response:
    job = find(state.jobs, job_id, "job")
    _stop(state, job)
    return respond(job, 202)


@route("POST", "/api/v1/jobs/{job_id}/retry")
def retry(state: State, asked: Asked, job_id: str) -> httpx.Response:
    job = find(state.jobs, job_id, "job")
    _again(state, job)
    return respond(job, 202)


@route("POST", "/api/v1/jobs/{job_id}/rerun")
def rerun(state: State, asked: Asked, job_id: str) -> httpx.Response:
    first = find(state.jobs, job_id, "job")
    body = asked.body()
    params = merge_patch(first["params"], body.get("params") or {})
    difference = list(_difference(first["params"], params, "/params"))
    if body.get("dry_run"):
        return respond({"params": params, "difference": difference})
    job = add_job(state, first["kind"], params, {"labels": first["labels"], "rerun_of": job_id})
    return respond({**job, "difference": difference}, 202)


def _difference(before: object, after: object, pointer: str) -> list[Json]:
    if isinstance(after, dict) and isinstance(before, dict | None):
        before = before or {}
        names = [*before, *(name for name in after if name not in before)]
        found = []
        for name in names:
            found += _difference(before.get(name), after.get(name), f"{pointer}/{name}")
        return found
    return [] if before == after else [{"pointer": pointer, "before": before, "after": after}]
