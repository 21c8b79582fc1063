"""Quotas of the server in memory: kept and shown, never enforced."""

from retort.testing.routing import route
from retort.testing.state import Asked, Json, Refused, State

_OF_PROJECT = ("queued_jobs", "gpu_hours_per_month", "stored_bytes")
_OF_KEY = (*_OF_PROJECT, "requests_per_second", "burst")
_WAITING = ("waiting", "queued", "retrying")


@route("GET", "/api/v1/usage")
def usage(state: State, asked: Asked) -> Json:
    used = {
        "queued_jobs": float(sum(job["state"] in _WAITING for job in state.jobs.values())),
        "gpu_hours_per_month": 0.0,
        "stored_bytes": float(sum(file["size"] for file in state.files.values())),
    }
    items = [
        {
            "scope": scope,
            "name": name,
            "quota": quota,
            "used": amount,
            "limit": _quota(state, scope, name).get(quota),
            "resets_at": None,
        }
        for scope, name in (("project", "default"), ("key", "key:fake"))
        for quota, amount in used.items()
    ]
    return {"items": items}


@route("GET", "/api/v1/admin/quotas")
def quotas(state: State, asked: Asked) -> Json:
    known = (("project", "default"), ("key", "fake"))
    return {"items": [_quota(state, scope, name) for scope, name in known]}


@route("PUT", "/api/v1/admin/quotas")
def put(state: State, asked: Asked) -> Json:
    body = asked.body()
    key = body.pop("key", None)
    unknown = sorted(body.keys() - set(_OF_PROJECT if key is None else _OF_KEY))
    if unknown:
        raise Refused(422, "invalid_request", f"/{unknown[0]}: there is no such quota")
    if key not in (None, "fake", "key:fake"):
        raise Refused(404, "not_found", f"there is no key {key!r} in the project")
    scope, name = ("project", "default") if key is None else ("key", "fake")
    state.quotas[scope] = body
    return _quota(state, scope, name)


def _quota(state: State, scope: str, name: str) -> Json:
    given = state.quotas.get(scope, {})
    return {"scope": scope, "name": name, **{field: given.get(field) for field in _OF_KEY}}
