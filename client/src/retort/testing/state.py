"""What the server in memory remembers, and the small arts that its routes share."""

import hashlib
import json
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

Json = dict[str, Any]


class Refused(Exception):
    """A problem document instead of an answer."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        remedy: str = "Correct it and send it again.",
        errors: Sequence[Mapping[str, str]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.problem = problem(code, detail, remedy, errors)


def problem(
    code: str,
    detail: str,
    remedy: str = "Correct it and send it again.",
    errors: Sequence[Mapping[str, str]] = (),
) -> Json:
    return {
        "code": code,
        "title": code.replace("_", " ").capitalize(),
        "detail": detail,
        "remedy": remedy,
        "errors": [dict(entry) for entry in errors],
        "retryable": False,
    }


def not_found(what: str) -> Refused:
    return Refused(404, "not_found", f"there is no {what}", "Check the id or name.")


@dataclass(kw_only=True)
class Asked:
    """One request as the routes see it."""

    method: str
    path: str
    query: httpx.QueryParams
    headers: httpx.Headers
    content: bytes

    def body(self) -> Json:
        """Raises Refused for what is no JSON object."""
        try:
            found = json.loads(self.content or b"{}")
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Refused(400, "bad_request", "the body is no JSON object")
        return found


@dataclass
class State:
    """Everything by id, in the order of its making."""

    files: dict[str, Json] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, Json] = field(default_factory=dict)
    datasets: dict[str, Json] = field(default_factory=dict)
    jobs: dict[str, Json] = field(default_factory=dict)
    events: dict[str, list[Json]] = field(default_factory=dict)
    models: dict[str, Json] = field(default_factory=dict)
    aliases: dict[tuple[str, str], Json] = field(default_factory=dict)
    #: of each alias who bore it, oldest first, the present holder on top
    holders: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    policies: dict[tuple[str, str], Json] = field(default_factory=dict)
    #: moves of aliases by id, in their order
    moves: dict[str, Json] = field(default_factory=dict)
    #: what is said of names of models
    names: dict[str, Json] = field(default_factory=dict)
    studies: dict[str, Json] = field(default_factory=dict)
    #: by name, each with its revisions
    endpoints: dict[str, Json] = field(default_factory=dict)
    #: by name, each with its runs
    schedules: dict[str, Json] = field(default_factory=dict)
    evaluations: dict[str, Json] = field(default_factory=dict)
    #: by prefix
    keys: dict[str, Json] = field(default_factory=dict)
    #: each with its deliveries
    webhooks: dict[str, Json] = field(default_factory=dict)
    workflows: dict[str, Json] = field(default_factory=dict)
    predictions: dict[str, Json] = field(default_factory=dict)
    #: entries of the audit log, in their order
    audit: dict[str, Json] = field(default_factory=dict)
    #: of the project and of the key
    quotas: dict[str, Json] = field(default_factory=dict)
    #: by model id: answers from the cache, others, and what the cache knows
    asked: dict[str, tuple[int, int, set[str]]] = field(default_factory=dict)
    #: rows of each data set, and what was refused
    rows: dict[str, list[Json]] = field(default_factory=dict)
    reports: dict[str, Json] = field(default_factory=dict)
    #: (route, key) to (hash of the body, answer)
    idempotent: dict[tuple[str, str], tuple[str, httpx.Response]] = field(default_factory=dict)
    #: problems of the next jobs, by kind
    failures: dict[str, list[Json]] = field(default_factory=dict)
    held: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)


def new_id() -> str:
    return str(uuid.uuid4())


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def page(items: Sequence[Json], query: httpx.QueryParams) -> Json:
    """Newest first; the cursor is the id of the last one shown."""
    limit = int(query.get("limit", 50))
    if not 1 <= limit <= 200:
        raise Refused(422, "invalid_request", "query/limit: between 1 and 200")
    newest = list(reversed(items))
    if (cursor := query.get("cursor")) is not None:
        ids = [item["id"] for item in newest]
        if cursor not in ids:
            raise Refused(422, "invalid_input", "the cursor is not one of ours")
        newest = newest[ids.index(cursor) + 1 :]
    shown = newest[:limit]
    return {"items": shown, "next_cursor": shown[-1]["id"] if len(newest) > limit else None}


def find(things: Mapping[str, Json], thing_id: str, what: str) -> Json:
    if thing_id not in things:
        raise not_found(f"{what} {thing_id}")
    return things[thing_id]


def versioned(things: Mapping[str, Json], ref: str, what: str) -> Json:
    """By id, `name` (newest) or `name:3`."""
    if ref in things:
        return things[ref]
    name, _, number = ref.partition(":")
    found = [
        thing
        for thing in things.values()
        if thing["name"] == name and (not number or str(thing["number"]) == number)
    ]
    if not found:
        raise not_found(f"{what} {ref!r}")
    return max(found, key=lambda thing: int(thing["number"]))


def model_of(state: State, ref: str) -> Json:
    """As `versioned`, and `name@alias`; a bare name is its @champion first."""
    name, sign, alias = ref.partition("@")
    if ref not in state.models and ":" not in ref:
        alias = "champion" if alias == "production" else alias
        pointed = state.aliases.get((name, alias or "champion"))
        if pointed is not None:
            return versioned(state.models, f"{name}:{pointed['version']}", "model")
        if sign:
            raise not_found(f"model {ref!r}")
    return _found(state, ref)


def _found(state: State, ref: str) -> Json:
    """Archived versions are found by their id only."""
    hidden = {key: m for key, m in state.models.items() if m["state"] != "archived" or key == ref}
    return versioned(hidden, ref, "model")


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
