"""Schedules of the server in memory: run by hand only, because nothing there takes time."""

import httpx

from retort.testing.jobs import add_job, finish
from retort.testing.routing import respond, route
from retort.testing.state import (
    Asked,
    Json,
    Refused,
    State,
    find,
    new_id,
    not_found,
    now,
    page,
    versioned,
)
from retort.testing.work import point

_DEFAULTS: Json = {
    "description": "",
    "labels": {},
    "timezone": "UTC",
    "job": None,
    "retrain": None,
    "missed": "last",
    "max_missed": 10,
    "overlap": "skip",
    "enabled": True,
    "start_at": None,
    "end_at": None,
}
_FIELDS = 5


def _found(state: State, name: str) -> Json:
    if name not in state.schedules:
        raise not_found(f"schedule {name!r}")
    return state.schedules[name]


def _matched(schedule: Json, asked: Asked) -> None:
    given = asked.headers.get("if-match")
    if given is None:
        raise Refused(428, "precondition_required", "the schedule is changed with If-Match only")
    if given not in ("*", f'"{schedule["version"]}"'):
        raise Refused(412, "precondition_failed", "the schedule has changed since it was read")


def _checked(body: Json) -> Json:
    _check_cron(body["cron"])
    if (body["job"] is None) == (body["retrain"] is None):
        detail = "a schedule has one of `job` and `retrain`"
        raise Refused(422, "invalid_schedule", f"/job: {detail}")
    return body


def _check_cron(cron: str) -> None:
    if len(cron.split()) != _FIELDS and not cron.startswith("@"):
        raise Refused(
            422,
            "invalid_cron",
            f"{cron!r} is no cron expression",
            'Write minute, hour, day of month, month and day of week, e.g. "0 2 * * SUN".',
            errors=[{"pointer": "/cron", "code": "invalid_cron", "detail": "five fields"}],
        )


def _answer(schedule: Json, status: int = 200) -> httpx.Response:
    runs = schedule["runs"]
    shown = {name: value for name, value in schedule.items() if name != "runs"}
    shown["last_run"] = runs[-1] if runs else None
    return respond(shown, status, {"ETag": f'"{schedule["version"]}"'})


def _changed(schedule: Json, change: Json) -> httpx.Response:
    schedule.update(change, version=schedule["version"] + 1, updated_at=now())
    return _answer(schedule)


@route("GET", "/api/v1/schedules")
def schedules(state: State, asked: Asked) -> Json:
    found = [_answer(schedule).json() for _, schedule in sorted(state.schedules.items())]
    return {"items": found, "next_cursor": None}


@route("POST", "/api/v1/schedules")
def create(state: State, asked: Asked) -> httpx.Response:
    body = _checked({**_DEFAULTS, **asked.body()})
    if body["name"] in state.schedules:
        raise Refused(409, "schedule_exists", f"there is a schedule {body['name']} already")
    kind = "retrain" if body["retrain"] is not None else body["job"]["kind"]
    made: Json = {"id": new_id(), "kind": kind, "next_runs": [], "version": 1, "created_by": "fake"}
    schedule = {**body, **made, "created_at": now(), "updated_at": now(), "runs": []}
    state.schedules[body["name"]] = schedule
    return _answer(schedule, 201)


@route("POST", "/api/v1/schedules/preview")
def preview(state: State, asked: Asked) -> Json:
    body = asked.body()
    _check_cron(body["cron"])
    zone = body.get("timezone", "UTC")
    return {"cron": body["cron"], "timezone": zone, "explanation": body["cron"], "items": []}


@route("GET", "/api/v1/schedules/{name}")
def one(state: State, asked: Asked, name: str) -> httpx.Response:
    return _answer(_found(state, name))


@route("PATCH", "/api/v1/schedules/{name}")
def patch(state: State, asked: Asked, name: str) -> httpx.Response:
    schedule, body = _found(state, name), asked.body()
    _matched(schedule, asked)
    whole = {part: schedule[part] for part in _DEFAULTS} | {"cron": schedule["cron"]}
    if body.keys() & {"job", "retrain"}:
        whole |= {"job": None, "retrain": None}
    return _changed(schedule, _checked({**whole, **body}))


@route("DELETE", "/api/v1/schedules/{name}")
def delete(state: State, asked: Asked, name: str) -> httpx.Response:
    _matched(_found(state, name), asked)
    del state.schedules[name]
    return respond(status=204)


@route("POST", "/api/v1/schedules/{name}/pause")
def pause(state: State, asked: Asked, name: str) -> httpx.Response:
    return _changed(_found(state, name), {"enabled": False})


@route("POST", "/api/v1/schedules/{name}/resume")
def resume(state: State, asked: Asked, name: str) -> httpx.Response:
    return _changed(_found(state, name), {"enabled": True})


@route("POST", "/api/v1/schedules/{name}/run")
def run(state: State, asked: Asked, name: str) -> httpx.Response:
    schedule = _found(state, name)
    busy = [one for one in schedule["runs"] if one["state"] in ("running", "held")]
    if busy and schedule["overlap"] != "allow":
        raise Refused(409, "run_open", f"{name} is not run: run {busy[0]['id']} has not ended")
    made = _new_run(schedule)
    if schedule["retrain"] is not None:
        _retrain(state, schedule, made)
    else:
        job = schedule["job"]
        labels = {**job.get("labels", {}), "schedule": name, "schedule_run": made["id"]}
        stored = add_job(state, job["kind"], job["params"], {**job, "labels": labels})
        made["job_ids"] = [stored["id"]]
    return respond(made, 202)


def _new_run(schedule: Json) -> Json:
    made: Json = {
        "id": new_id(),
        "run_at": now(),
        "local": now(),
        "trigger": "manual",
        "state": "running",
        "outcome": None,
        "reason": "",
        "error": None,
        "job_ids": [],
        "details": {},
        "created_at": now(),
        "finished_at": None,
        "decided_by": "fake",
    }
    schedule["runs"].append(made)
    return made


def _retrain(state: State, schedule: Json, made: Json) -> None:
    """Trained and evaluated at once; every new version passes: nothing is measured here."""
    spec = schedule["retrain"]
    alias = spec.get("alias", "champion")
    held = state.aliases.get((spec["model"], alias))
    teacher = versioned(state.models, spec["model"], "model")
    first = state.jobs[teacher["job_id"]]["params"]
    params = {**first, **(spec.get("train") or {}), "name": spec["model"], "alias": None}
    if spec.get("dataset"):
        params["dataset"] = spec["dataset"]
    job = add_job(state, "train", params, {})
    finish(state, job)
    made["job_ids"] = [job["id"]]
    if job["state"] != "succeeded":
        made.update(state="failed", error=job["error"], finished_at=now())
        return
    ref = job["result"]["model_ref"]
    evaluation = add_job(state, "evaluate", {"model": ref, "dataset": spec["evaluate_on"]}, {})
    finish(state, evaluation)
    made["job_ids"].append(evaluation["id"])
    made["details"] = {"candidate": ref, "champion": held and f"{spec['model']}:{held['version']}"}
    then = spec.get("then", "hold")
    if then == "hold":
        made["state"] = "held"
    elif then == "promote":
        _promote(state, schedule, made, "")
    else:
        _end(made, "kept")


def _promote(state: State, schedule: Json, made: Json, note: str) -> None:
    model = versioned(state.models, made["details"]["candidate"], "model")
    point(state, model, schedule["retrain"].get("alias", "champion"), note)
    _end(made, "promoted")


def _end(made: Json, outcome: str) -> None:
    made.update(state="succeeded", outcome=outcome, finished_at=now())


@route("GET", "/api/v1/schedules/{name}/runs")
def runs(state: State, asked: Asked, name: str) -> Json:
    schedule = _found(state, name)
    for made in schedule["runs"]:
        _settle(state, made)
    return page(schedule["runs"], asked.query)


def _settle(state: State, made: Json) -> None:
    if made["state"] != "running":
        return
    for job_id in made["job_ids"]:
        job = state.jobs[job_id]
        finish(state, job)
        if job["state"] in ("succeeded", "failed", "cancelled"):
            ended = "succeeded" if job["state"] == "succeeded" else "failed"
            made.update(state=ended, error=job["error"], finished_at=now())


def _run(state: State, name: str, run_id: str) -> Json:
    return find({one["id"]: one for one in _found(state, name)["runs"]}, run_id, "run")


@route("GET", "/api/v1/schedules/{name}/runs/{run_id}")
def one_run(state: State, asked: Asked, name: str, run_id: str) -> Json:
    made = _run(state, name, run_id)
    _settle(state, made)
    return made


@route("POST", "/api/v1/schedules/{name}/runs/{run_id}/approve")
def approve(state: State, asked: Asked, name: str, run_id: str) -> Json:
    made = _held(state, name, run_id)
    _promote(state, _found(state, name), made, asked.body().get("note", ""))
    return made


@route("POST", "/api/v1/schedules/{name}/runs/{run_id}/reject")
def reject(state: State, asked: Asked, name: str, run_id: str) -> Json:
    made = _held(state, name, run_id)
    made["reason"] = asked.body().get("note", "")
    _end(made, "rejected")
    return made


def _held(state: State, name: str, run_id: str) -> Json:
    made = _run(state, name, run_id)
    if made["state"] != "held":
        raise Refused(409, "run_not_held", f"run {run_id} is {made['state']}")
    return made
