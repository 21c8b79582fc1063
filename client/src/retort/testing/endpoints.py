"""Endpoints of the server in memory: revisions as the real one keeps them, traffic of nobody."""

from typing import Any

import httpx

from retort.testing.routing import respond, route
from retort.testing.state import Asked, Json, Refused, State, model_of, new_id, not_found, now

_OWN = ("name", "description", "labels", "note")
_ARM: Json = {"requests": 0, "inputs": 0, "errors": 0, "error_rate": None, "p95_ms": None}


def _found(state: State, name: str) -> Json:
    if name not in state.endpoints:
        raise not_found(f"endpoint {name!r}")
    return state.endpoints[name]


def _matched(endpoint: Json, asked: Asked) -> None:
    given = asked.headers.get("if-match")
    if given is None:
        raise Refused(428, "precondition_required", "the endpoint is changed with If-Match only")
    if given not in ("*", f'"{endpoint["version"]}"'):
        raise Refused(412, "precondition_failed", "the endpoint has changed since it was read")


def _answer(endpoint: Json, status: int = 200) -> httpx.Response:
    shown = {name: value for name, value in endpoint.items() if name != "revisions"}
    headers = {"ETag": f'"{endpoint["version"]}"'}
    return respond({**shown, "revision": endpoint["revisions"][-1]}, status, headers)


def _checked(state: State, spec: Json) -> Json:
    routes = spec.get("routes") or []
    live = [route for route in routes if route.get("mode", "live") == "live"]
    total = sum(route.get("weight", 100 if len(live) == 1 else 0) for route in live)
    if total != 100:
        detail = f"the live weights add up to {total:g}, not to 100"
        raise Refused(422, "invalid_endpoint", f"/routes: {detail}")
    named = [route["model"] for route in routes]
    named += [spec[part]["model"] for part in ("canary", "fallback") if spec.get(part)]
    models = {ref: model_of(state, ref) for ref in named}
    return {
        ref: {"model_id": model["id"], "name": model["name"], "number": model["number"]}
        for ref, model in models.items()
    }


def _revise(endpoint: Json, spec: Json, models: Json, reason: str, **more: Any) -> None:
    revisions = endpoint["revisions"]
    for revision in revisions:
        revision["active"] = False
    canary = spec.get("canary")
    first = (
        {"step": 0, "share": (canary.get("steps") or [5])[0], "paused": False} if canary else None
    )
    revisions.append(
        {
            "number": len(revisions) + 1,
            "active": True,
            "reason": reason,
            "note": "",
            "created_at": now(),
            "created_by": "fake",
            "restores": None,
            "spec": spec,
            "models": models,
            "canary": first,
            "figures": None,
            "shares": {},
            **more,
        }
    )
    endpoint["version"] += 1


def _make(state: State, name: str, body: Json) -> httpx.Response:
    spec = {key: value for key, value in body.items() if key not in _OWN}
    models = _checked(state, spec)
    endpoint = state.endpoints.get(name)
    is_new = endpoint is None
    if endpoint is None:
        endpoint = state.endpoints[name] = {
            "id": new_id(),
            "name": name,
            "description": "",
            "labels": {},
            "version": 0,
            "created_at": now(),
            "created_by": "fake",
            "updated_at": now(),
            "revisions": [],
        }
    for key in ("description", "labels"):
        if body.get(key) is not None:
            endpoint[key] = body[key]
    if is_new or endpoint["revisions"][-1]["spec"] != spec:
        reason = "created" if is_new else "updated"
        _revise(endpoint, spec, models, reason, note=body.get("note", ""))
    return _answer(endpoint, 201 if is_new else 200)


@route("GET", "/api/v1/endpoints")
def endpoints(state: State, asked: Asked) -> Json:
    found = [_answer(endpoint).json() for _, endpoint in sorted(state.endpoints.items())]
    return {"items": found, "next_cursor": None}


@route("POST", "/api/v1/endpoints")
def create(state: State, asked: Asked) -> httpx.Response:
    body = asked.body()
    if body["name"] in state.endpoints:
        raise Refused(409, "endpoint_exists", f"there is an endpoint {body['name']} already")
    return _make(state, body["name"], body)


@route("GET", "/api/v1/endpoints/{name}")
def one(state: State, asked: Asked, name: str) -> httpx.Response:
    return _answer(_found(state, name))


@route("PUT", "/api/v1/endpoints/{name}")
def put(state: State, asked: Asked, name: str) -> httpx.Response:
    if name in state.endpoints:
        _matched(state.endpoints[name], asked)
    return _make(state, name, asked.body())


@route("PATCH", "/api/v1/endpoints/{name}")
def patch(state: State, asked: Asked, name: str) -> httpx.Response:
    endpoint = _found(state, name)
    _matched(endpoint, asked)
    return _make(state, name, {**endpoint["revisions"][-1]["spec"], **asked.body()})


@route("DELETE", "/api/v1/endpoints/{name}")
def archive(state: State, asked: Asked, name: str) -> httpx.Response:
    _matched(_found(state, name), asked)
    del state.endpoints[name]
    return respond(status=204)


@route("GET", "/api/v1/endpoints/{name}/revisions")
def revisions(state: State, asked: Asked, name: str) -> Json:
    return {"items": _found(state, name)["revisions"][::-1], "next_cursor": None}


@route("GET", "/api/v1/endpoints/{name}/revisions/{number}")
def revision(state: State, asked: Asked, name: str, number: str) -> Json:
    for known in _found(state, name)["revisions"]:
        if str(known["number"]) == number:
            found: Json = known
            return found
    raise not_found(f"revision {number}")


@route("POST", "/api/v1/endpoints/{name}/rollback")
def rollback(state: State, asked: Asked, name: str) -> httpx.Response:
    endpoint, body = _found(state, name), asked.body()
    active = endpoint["revisions"][-1]
    wanted = body.get("revision")
    earlier = [
        known
        for known in endpoint["revisions"]
        if known["canary"] is None
        and (
            known["number"] == wanted
            if wanted
            else known["restores"] is None
            and known["number"] < (active["restores"] or active["number"])
        )
    ]
    if not earlier:
        raise Refused(409, "no_earlier_revision", "there is nothing to go back to")
    back = earlier[-1]
    restores = back["restores"] or back["number"]
    _revise(endpoint, back["spec"], back["models"], "rolled_back", restores=restores)
    return _answer(endpoint)


def _canary(state: State, name: str) -> tuple[Json, Json]:
    endpoint = _found(state, name)
    active = endpoint["revisions"][-1]
    if active["canary"] is None:
        raise Refused(409, "no_canary", f"the endpoint {name} has no canary")
    return endpoint, active


@route("GET", "/api/v1/endpoints/{name}/canary")
def canary(state: State, asked: Asked, name: str) -> Json:
    _, active = _canary(state, name)
    told = {"requests": 0, "other_requests": 0, "guards": [], "waits_for": ["0 requests were seen"]}
    spec = active["spec"]["canary"]
    steps = spec.get("steps") or [5, 25, 50, 100]
    return {"model": spec["model"], "steps": steps, **active["canary"], **told}


@route("POST", "/api/v1/endpoints/{name}/canary")
def act(state: State, asked: Asked, name: str) -> httpx.Response:
    endpoint, active = _canary(state, name)
    action, spec, models = asked.body()["action"], active["spec"], active["models"]
    steps, at = spec["canary"].get("steps") or [5, 25, 50, 100], dict(active["canary"])
    if action in ("pause", "resume"):
        at["paused"] = action == "pause"
        _revise(endpoint, spec, models, f"canary_{action}d", canary=at)
    elif action == "step" and at["step"] + 1 < len(steps):
        at |= {"step": at["step"] + 1, "share": steps[at["step"] + 1]}
        _revise(endpoint, spec, models, "canary_step", canary=at)
    else:
        done = {**spec, "canary": None}
        if action == "step":
            done["routes"] = [{"model": spec["canary"]["model"], "weight": 100}]
        reason = "canary_finished" if action == "step" else "canary_rolled_back"
        _revise(endpoint, done, models, reason)
    return _answer(endpoint)


@route("GET", "/api/v1/endpoints/{name}/metrics")
def metrics(state: State, asked: Asked, name: str) -> Json:
    _found(state, name)
    return {"endpoint": name, "since": now(), "arms": [], "minutes": []}


@route("GET", "/api/v1/endpoints/{name}/comparison")
def comparison(state: State, asked: Asked, name: str) -> Json:
    models = _found(state, name)["revisions"][-1]["models"].values()
    arms = [{"model": f"{m['name']}:{m['number']}", "mode": "live", **_ARM} for m in models]
    return {"endpoint": name, "alpha": 0.05, "arms": arms, "comparisons": []}


@route("POST", "/api/v1/endpoints/{name}/outcomes")
def outcomes(state: State, asked: Asked, name: str) -> httpx.Response:
    _found(state, name)
    return respond({"stored": len(asked.body()["outcomes"])}, 201)
