"""Past predictions of the server in memory: stored at once, deleted by anybody."""

from typing import Any

from retort.testing.routing import respond, route
from retort.testing.state import Asked, Json, Refused, State, find, model_of, new_id, now, page

_FILTERS = (
    *("model", "structure", "endpoint_id", "mode", "request_id"),
    *("created_after", "created_before"),
)


def remember(state: State, asked: Asked, model: Json, answers: list[Json]) -> None:
    """As `"remember": true` in POST /predictions asks for."""
    for answer in answers:
        kind = "smiles" if isinstance(answer["input"], str) else "features"
        given = {kind: answer["input"], "id": answer["id"]}
        past = {
            "id": new_id(),
            "model": model,
            "endpoint_id": None,
            "endpoint_revision": None,
            "mode": "live",
            "structure": answer["canonical_smiles"],
            "inchikey": None,
            "input": {name: value for name, value in given.items() if value is not None},
            "output": {k: v for k, v in answer.items() if k not in ("id", "input", "cached")},
            "cached": bool(answer.get("cached", False)),
            "latency_ms": 0.0,
            "request_id": asked.headers.get("x-request-id", "fake"),
            "created_at": now(),
            "created_by": "key:fake",
            "expires_at": None,
        }
        state.predictions[past["id"]] = past


def count(state: State, model_id: str, inputs: list[Any]) -> None:
    """What was asked of a model before is a hit."""
    hits, misses, known = state.asked.setdefault(model_id, (0, 0, set()))
    for given in inputs:
        hit = str(given) in known
        hits, misses = hits + hit, misses + (not hit)
        known.add(str(given))
    state.asked[model_id] = (hits, misses, known)


@route("GET", "/api/v1/predictions")
def listed(state: State, asked: Asked) -> Json:
    found = page(_matching(state, asked), asked.query)
    return {**found, **_counted(found["items"])}


@route("GET", "/api/v1/predictions/latest")
def latest(state: State, asked: Asked) -> Json:
    newest: dict[str, Json] = {}
    for past in _matching(state, asked):
        newest[past["model"]["name"]] = past
    items = [newest[name] for name in sorted(newest)]
    structure = items[0]["structure"] if items else None
    return {"structure": structure, "items": items, **_counted(items)}


@route("GET", "/api/v1/predictions/{prediction_id}")
def one(state: State, asked: Asked, prediction_id: str) -> Json:
    return find(state.predictions, prediction_id, "prediction")


@route("DELETE", "/api/v1/predictions/{prediction_id}")
def remove(state: State, asked: Asked, prediction_id: str) -> Any:
    find(state.predictions, prediction_id, "prediction")
    del state.predictions[prediction_id]
    return respond(status=204)


@route("DELETE", "/api/v1/predictions")
def remove_all(state: State, asked: Asked) -> Json:
    if not set(asked.query) & set(_FILTERS):
        raise Refused(422, "invalid_input", "say which predictions are to be deleted")
    found = _matching(state, asked)
    for past in found:
        del state.predictions[past["id"]]
    return {"deleted": len(found), "more": False}


@route("GET", "/api/v1/admin/prediction-cache")
def statistics(state: State, asked: Asked) -> Json:
    models = [
        {"model": _named(state.models[id_]), **_rate(hits, misses)}
        for id_, (hits, misses, _) in state.asked.items()
    ]
    total = _rate(sum(m["hits"] for m in models), sum(m["misses"] for m in models))
    today = now()[:10]
    since = today if models else None
    return {**total, "since": since, "days": [{"day": today, **total}], "models": models}


@route("DELETE", "/api/v1/admin/prediction-cache/{ref}")
def forget(state: State, asked: Asked, ref: str) -> Json:
    model = model_of(state, ref)
    known = state.asked.get(model["id"], (0, 0, set()))[2]
    deleted = len(known)
    known.clear()
    return {"model": _named(model), "deleted": deleted}


def _matching(state: State, asked: Asked) -> list[Json]:
    """Oldest first."""
    query = asked.query
    return [past for past in state.predictions.values() if _matches(past, query)]


def _matches(past: Json, query: Any) -> bool:
    model = past["model"]
    after, before = query.get("created_after"), query.get("created_before")
    texts = {
        "model": {model["id"], model["name"], f"{model['name']}:{model['number']}"},
        "structure": {past["structure"], past["input"].get("smiles")},
        "endpoint_id": {past["endpoint_id"]},
        "mode": {past["mode"]},
        "request_id": {past["request_id"]},
    }
    return (
        all(query[name] in known for name, known in texts.items() if name in query)
        and (after is None or past["created_at"] > after)
        and (before is None or past["created_at"] < before)
    )


def _counted(items: list[Json]) -> Json:
    used = {(past["model"]["name"], past["model"]["number"]) for past in items}
    return {"count": len(items), "models_used": [f"{name}:{n}" for name, n in sorted(used)]}


def _rate(hits: int, misses: int) -> Json:
    asked = hits + misses
    return {"hits": hits, "misses": misses, "hit_rate": hits / asked if asked else None}


def _named(model: Json) -> Json:
    return {name: model[name] for name in ("id", "name", "number")}
