"""The registry in memory: aliases with a history, gates, labels, archived versions."""

from typing import Any

import httpx

from retort.testing.models import shown
from retort.testing.routing import Answer, respond, route
from retort.testing.state import (
    Asked,
    Json,
    Refused,
    State,
    merge_patch,
    model_of,
    not_found,
    now,
    page,
    versioned,
)
from retort.testing.work import point, remember

_POLICY: Json = {
    "evaluation_dataset": None,
    "dataset_id": None,
    "metric": None,
    "min_delta": 0.0,
    "confidence": 0.95,
    "required": True,
    "four_eyes": False,
    "max_latency_ms": None,
}


def _word(alias: str) -> str:
    return "champion" if alias == "production" else alias


@route("GET", "/api/v1/registry")
def names(state: State, asked: Asked) -> Json:
    found = sorted({m["name"] for m in state.models.values() if m["state"] != "archived"})
    return {"items": [name_entry(state, asked, name) for name in found], "next_cursor": None}


@route("GET", "/api/v1/registry/{name}")
def name_entry(state: State, asked: Asked, name: str) -> Json:
    models = [m for m in state.models.values() if m["name"] == name and m["state"] != "archived"]
    numbers = sorted(m["number"] for m in models)
    if not numbers:
        raise not_found(f"model {name!r}")
    aliases = [entry for (known, _), entry in sorted(state.aliases.items()) if known == name]
    said = state.names.get(name, {"labels": {}, "description": ""})
    return {"name": name, "versions": numbers, "newest": numbers[-1], "aliases": aliases, **said}


@route("PATCH", "/api/v1/registry/{name}")
def describe(state: State, asked: Asked, name: str) -> Answer:
    name_entry(state, asked, name)
    said = state.names.setdefault(name, {"labels": {}, "description": ""})
    state.names[name] = merge_patch(said, asked.body())
    return name_entry(state, asked, name)


@route("PUT", "/api/v1/registry/{name}/aliases/{alias}")
def promote(state: State, asked: Asked, name: str, alias: str) -> Json:
    body = asked.body()
    model = versioned(state.models, f"{name}:{body['version']}", "model")
    if alias == "archived":
        archive(state, asked, model["id"])
        moved = {"alias": alias, "version": model["number"], "note": "", "etag": ""}
        return moved | {"before": None, "gate": None, "changed_at": now(), "changed_by": "fake"}
    word = _word(alias)
    if model["state"] == "archived":
        raise Refused(409, "model_archived", f"{model['ref']} is archived")
    _matches(state, asked, name, word)
    return point(state, model, word, body.get("note", ""), gate=_gate(state, model, word))


def _matches(state: State, asked: Asked, name: str, alias: str) -> None:
    wanted = asked.headers.get("if-match")
    entry = state.aliases.get((name, alias))
    if wanted is not None and (entry is None or wanted not in ("*", entry["etag"])):
        raise Refused(412, "precondition_failed", "the alias has changed since it was read")


def _gate(state: State, model: Json, alias: str) -> Json | None:
    """A version that was never evaluated fails; one that was passes: nothing is measured here."""
    policy = state.policies.get((model["name"], alias))
    if policy is None:
        return None
    found = [e for e in state.evaluations.values() if e["model_id"] == model["id"]]
    on = policy["evaluation_dataset"] or "any data set"
    said = f"was evaluated on {on}" if found else f"has no evaluation on {on}"
    detail = f"{model['ref']} {said}"
    checks = [{"check": "evaluated", "passed": bool(found), "detail": detail}]
    if not found and policy["required"]:
        data = f" --data {on}" if policy["evaluation_dataset"] else ""
        raise Refused(
            409,
            "gate_failed",
            f"{model['ref']} does not pass the gate: it {said}",
            f"Run `retort evaluate {model['ref']}{data}`, then promote again.",
            errors=[{"pointer": "/checks/evaluated", "code": "failed", "detail": detail}],
        )
    last = found[-1]["id"] if found else None
    gate: Json = {"policy": policy, "passed": bool(found), "checks": checks}
    return gate | {"evaluation_id": last, "dataset": on}


@route("POST", "/api/v1/registry/{name}/aliases/{alias}/rollback")
def rollback(state: State, asked: Asked, name: str, alias: str) -> Json:
    body, word = asked.body(), _word(alias)
    _matches(state, asked, name, word)
    if (name, word) not in state.holders:
        raise not_found(f"alias {word!r} of {name}")
    stack = state.holders[name, word]
    earlier = stack[:-1] if (name, word) in state.aliases else stack[:]
    wanted = body.get("version")
    if wanted is not None:
        earlier = earlier[: earlier.index(wanted) + 1] if wanted in earlier else []
    if not earlier:
        detail = f"{name}@{word} has not had an earlier holder"
        raise Refused(409, "no_earlier_holder", detail, "Point the alias to the version you mean.")
    model = versioned(state.models, f"{name}:{earlier[-1]}", "model")
    if model["state"] == "archived":
        raise Refused(409, "model_archived", f"{model['ref']} is archived", "Restore it first.")
    state.holders[name, word] = earlier
    return point(state, model, word, body.get("note", ""), "rolled_back")


@route("DELETE", "/api/v1/registry/{name}/aliases/{alias}")
def remove(state: State, asked: Asked, name: str, alias: str) -> httpx.Response:
    word = _word(alias)
    _matches(state, asked, name, word)
    entry = state.aliases.pop((name, word), None)
    if entry is None:
        raise not_found(f"alias {word!r} of {name}")
    remember(state, name, word, "removed", entry["version"], None)
    return respond(status=204)


@route("GET", "/api/v1/registry/{name}/history")
def history(state: State, asked: Asked, name: str) -> Json:
    name_entry(state, asked, name)
    alias = asked.query.get("alias")
    found = [
        {key: value for key, value in move.items() if key != "name"}
        for move in state.moves.values()
        if move["name"] == name and alias in (None, move["alias"])
    ]
    return page(found, asked.query)


@route("PUT", "/api/v1/registry/{name}/policies/{alias}")
def set_policy(state: State, asked: Asked, name: str, alias: str) -> Json:
    name_entry(state, asked, name)
    policy = {"alias": _word(alias), **_POLICY, **asked.body()}
    if policy["evaluation_dataset"] is not None:
        dataset = versioned(state.datasets, policy["evaluation_dataset"], "data set")
        policy |= {"evaluation_dataset": dataset["ref"], "dataset_id": dataset["id"]}
    policy |= {"changed_at": now(), "changed_by": "fake"}
    state.policies[name, _word(alias)] = policy
    return policy


@route("GET", "/api/v1/registry/{name}/policies/{alias}")
def policy(state: State, asked: Asked, name: str, alias: str) -> Json:
    found = state.policies.get((name, _word(alias)))
    if found is None:
        raise not_found(f"policy of {name}@{alias}")
    return found


@route("DELETE", "/api/v1/registry/{name}/policies/{alias}")
def drop_policy(state: State, asked: Asked, name: str, alias: str) -> httpx.Response:
    if state.policies.pop((name, _word(alias)), None) is None:
        raise not_found(f"policy of {name}@{alias}")
    return respond(status=204)


# ---- versions


@route("PATCH", "/api/v1/models/{ref}")
def change(state: State, asked: Asked, ref: str) -> Json:
    model, body = model_of(state, ref), asked.body()
    semver = body.get("semver")
    others = [m for m in state.models.values() if m["name"] == model["name"] and m is not model]
    if semver is not None and semver in [m["semver"] for m in others]:
        raise Refused(409, "semver_taken", f"another version is {semver} already")
    model["labels"] = merge_patch(model["labels"], body.get("labels") or {})
    if body.get("description") is not None:
        model["description"] = body["description"]
    if "semver" in body:
        model["semver"] = semver
    return shown(state, model)


@route("DELETE", "/api/v1/models/{ref}")
def archive(state: State, asked: Asked, ref: str) -> Json:
    model = shown(state, _version(state, ref))
    if model["aliases"]:
        named = [f"{model['name']}@{alias}" for alias in model["aliases"]]
        errors = [{"pointer": n, "code": "depends", "detail": f"alias {n}"} for n in named]
        detail = f"{model['ref']} cannot be archived: {', '.join(named)} depends on it"
        raise Refused(409, "model_in_use", detail, errors=errors)
    return _state(state, model, "archived", now())


@route("POST", "/api/v1/models/{ref}/restore")
def restore(state: State, asked: Asked, ref: str) -> Json:
    return _state(state, _version(state, ref), "candidate", None)


def _state(state: State, model: Json, value: str, at: Any) -> Json:
    state.models[model["id"]] |= {"state": value, "archived_at": at}
    return shown(state, state.models[model["id"]])


def _version(state: State, ref: str) -> Json:
    """By what does not move: an id, or name:3."""
    if ref not in state.models and ":" not in ref:
        detail = f"{ref} means another version from time to time"
        raise Refused(422, "invalid_reference", detail, "Say which one: its id, or `name:3`.")
    return _any(state, ref)


def _any(state: State, ref: str) -> Json:
    """Archived or not."""
    return versioned(state.models, ref, "model") if ":" in ref else model_of(state, ref)


@route("GET", "/api/v1/models/{ref}/lineage")
def lineage(state: State, asked: Asked, ref: str) -> Json:
    model = shown(state, _any(state, ref))
    dataset, origin = state.datasets.get(model["dataset_id"]), model["imported_from"]
    job = state.jobs[model["job_id"]]
    aliases = [f"{model['name']}@{alias}" for alias in model["aliases"]]
    parent = origin and {
        "kind": "imported_from",
        "ref": f"{origin['name']}:{origin['number']}",
        **origin,
    }
    return {
        "model": {key: model[key] for key in ("id", "ref", "created_at", "state", "sha256")},
        "file": dataset
        and {key: state.files[dataset["file_id"]][key] for key in ("id", "name", "sha256")},
        "dataset": dataset and {key: dataset[key] for key in ("id", "ref", "sha256", "job_id")},
        "split": None,
        "features": {"hash": model["feature_set_hash"], "featurizers": [], "columns": []},
        "algorithm": {"name": model["algorithm"], "hyperparameters": model["hyperparameters"]},
        "code": {"version": None, "revision": None},
        "libraries": {},
        "job": {"id": job["id"], "kind": job["kind"], "state": job["state"]},
        "parents": [parent] if parent else [],
        "aliases": aliases,
        "endpoints": [],
        "predictions": [],
        "more": [],
    }
