"""The audit log of the server in memory: each change leaves an entry, none is ever altered."""

import csv
import hashlib
import io
import json
from typing import Any

import httpx

from retort.testing.routing import route
from retort.testing.state import Asked, Json, Refused, State, new_id, now, page

_VERBS = {"POST": "create", "PUT": "put", "PATCH": "change", "DELETE": "delete"}
_PREFIX = "/api/v1/"
_UNTOLD = frozenset(
    (
        "POST /api/v1/predictions",
        "POST /api/v1/comparisons",
        "POST /api/v1/jobs/estimate",
        "POST /api/v1/files/{file_id}/preview",
        "PUT /api/v1/files/uploads/{upload_id}/parts/{number}",
    )
)
_FIELDS = (
    *("number", "id", "at", "principal", "action", "resource", "ip", "user_agent", "request_id"),
    *("details", "before_hash", "after", "prev_hash", "hash"),
)


def tell(state: State, asked: Asked, template: str) -> None:
    """After a request that succeeded."""
    if asked.method == "GET" or f"{asked.method} {template}" in _UNTOLD:
        return
    parts = template.removeprefix(_PREFIX).split("/")
    words = [part for part in parts if not part.startswith("{")]
    if asked.method != "POST" or len(words) == len(parts) or parts[-1] != words[-1]:
        words.append(_VERBS[asked.method])
    add(state, asked, ".".join(words), asked.path.removeprefix(_PREFIX))


def add(state: State, asked: Asked, action: str, resource: str, **details: Any) -> None:
    entry: Json = {
        "number": len(state.audit) + 1,
        "id": new_id(),
        "at": now(),
        "principal": "key:fake",
        "action": action,
        "resource": resource,
        "ip": "127.0.0.1",
        "user_agent": asked.headers.get("user-agent"),
        "request_id": asked.headers.get("x-request-id", "fake"),
        "details": details,
        "before_hash": None,
        "after": None,
        "prev_hash": _head(state),
    }
    text = json.dumps(entry, sort_keys=True)
    entry["hash"] = hashlib.sha256(text.encode()).hexdigest()
    state.audit[entry["id"]] = entry


def _head(state: State) -> str:
    return next((str(e["hash"]) for e in reversed(state.audit.values())), "0" * 64)


@route("GET", "/api/v1/audit")
def listed(state: State, asked: Asked) -> Json:
    return page(_matching(state, asked), asked.query)


@route("GET", "/api/v1/audit/export")
def export(state: State, asked: Asked) -> httpx.Response:
    found = _matching(state, asked)
    kind = asked.query.get("format", "jsonl")
    add(state, asked, "audit.export", "audit", format=kind)
    if kind == "jsonl":
        return httpx.Response(200, text="".join(f"{json.dumps(entry)}\n" for entry in found))
    if kind != "csv":
        raise Refused(422, "invalid_request", "query/format: csv or jsonl")
    text = io.StringIO()
    rows = csv.DictWriter(text, _FIELDS)
    rows.writeheader()
    rows.writerows({**entry, "details": json.dumps(entry["details"])} for entry in found)
    return httpx.Response(200, text=text.getvalue())


@route("GET", "/api/v1/audit/verify")
def verify(state: State, asked: Asked) -> Json:
    return {
        "entries": len(state.audit),
        "unbroken": True,
        "breach": None,
        "head": _head(state),
        "anchors": 0,
    }


def _matching(state: State, asked: Asked) -> list[Json]:
    """Oldest first."""
    query = asked.query
    return [
        entry
        for entry in state.audit.values()
        if query.get("principal", entry["principal"]) == entry["principal"]
        and _below(entry["action"], query.get("action"), ".")
        and _below(entry["resource"], query.get("resource"), "/")
        and query.get("since", "") <= entry["at"]
        and ("until" not in query or entry["at"] < query["until"])
    ]


def _below(text: str, wanted: str | None, sign: str) -> bool:
    return wanted is None or text == wanted or text.startswith(wanted + sign)
