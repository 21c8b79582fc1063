"""API keys in memory. They are made, listed and withdrawn; the caller stays who he is."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from retort.testing.routing import respond, route
from retort.testing.state import Asked, Json, Refused, State, find, new_id, now, page

_ROLES = ("viewer", "scientist", "approver", "operator", "admin")


@route("GET", "/api/v1/keys/whoami")
def whoami(state: State, asked: Asked) -> Json:
    return {
        "name": "fake",
        "kind": "key",
        "role": "admin",
        "rights": ["read", "data:write", "jobs:write", "predict", "access:write"],
        "project_id": "00000000-0000-7000-8000-000000000001",
        "key": None,
    }


@route("GET", "/api/v1/keys")
def list_keys(state: State, asked: Asked) -> Json:
    return page([_shown(key) for key in state.keys.values()], asked.query)


@route("POST", "/api/v1/keys")
def create(state: State, asked: Asked) -> httpx.Response:
    body = asked.body()
    if body.get("role") not in _ROLES:
        raise Refused(422, "invalid_request", f"/role: one of {', '.join(_ROLES)}")
    taken = [k for k in state.keys.values() if k["name"] == body["name"] and _state(k) == "active"]
    if taken:
        raise Refused(409, "key_name_taken", f"the key {taken[0]['prefix']} has this name")
    given = {name: body.get(name) or [] for name in ("scopes", "networks")}
    return _new(state, body, {"name": body["name"], "role": body["role"], **given})


@route("GET", "/api/v1/keys/{prefix}")
def one(state: State, asked: Asked, prefix: str) -> Json:
    return _shown(find(state.keys, prefix, "API key"))


@route("POST", "/api/v1/keys/{prefix}/rotate")
def rotate(state: State, asked: Asked, prefix: str) -> httpx.Response:
    old, body = find(state.keys, prefix, "API key"), asked.body()
    if _state(old) != "active":
        raise Refused(409, "key_ended", f"the key {prefix} is {_state(old)}")
    old["expires_at"] = _in(body.get("overlap_seconds", 86_400))
    old["rotated"] = True
    same = {name: old[name] for name in ("name", "role", "scopes", "networks")}
    return _new(state, body, same)


@route("DELETE", "/api/v1/keys/{prefix}")
def revoke(state: State, asked: Asked, prefix: str) -> Json:
    key = find(state.keys, prefix, "API key")
    key["revoked_at"] = key["revoked_at"] or now()
    return _shown(key)


def _new(state: State, body: Json, given: Json) -> httpx.Response:
    prefix = secrets.token_hex(4)
    seconds = body.get("expires_in_seconds")
    state.keys[prefix] = {
        "id": new_id(),
        "prefix": prefix,
        **given,
        "created_at": now(),
        "created_by": "fake",
        "expires_at": None if seconds is None else _in(seconds),
        "last_used_at": None,
        "revoked_at": None,
    }
    text = f"rt_{prefix}_{secrets.token_urlsafe(32)}"
    return respond({**_shown(state.keys[prefix]), "key": text}, 201)


def _shown(key: Json) -> Json:
    return {**{name: key[name] for name in key if name != "rotated"}, "state": _state(key)}


def _state(key: Json) -> str:
    if key["revoked_at"]:
        return "revoked"
    if key["expires_at"] and key["expires_at"] <= now():
        return "expired"
    return "rotated" if key.get("rotated") else "active"


def _in(seconds: Any) -> str:
    at = datetime.now(UTC) + timedelta(seconds=float(seconds))
    return at.isoformat().replace("+00:00", "Z")
