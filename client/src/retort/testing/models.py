"""Models, predictions, catalogue and the rest of the server in memory."""

import httpx

from retort.errors import classes
from retort.testing import history
from retort.testing.datasets import check_fields
from retort.testing.routing import respond, route
from retort.testing.science import predict_one
from retort.testing.state import (
    Asked,
    Json,
    Refused,
    State,
    digest,
    find,
    model_of,
    not_found,
    page,
)
from retort.version import __version__

_CATALOG = {
    "algorithms": ("lightgbm", "ridge", "random_forest"),
    "featurizers": ("morgan_counts", "maccs"),
    "splitters": ("random", "scaffold"),
    "metrics": ("rmse", "mae", "r2"),
}
_FILES = {"metrics.json": b"{}", "parity.svg": b"<svg xmlns='http://www.w3.org/2000/svg'></svg>"}
_AT_ONCE = 100


def shown(state: State, model: Json) -> Json:
    aliases = [
        alias
        for (name, alias), entry in state.aliases.items()
        if (name, entry["version"]) == (model["name"], model["number"])
    ]
    return {**model, "aliases": sorted(aliases)}


@route("GET", "/api/v1/models")
def models(state: State, asked: Asked) -> Json:
    wanted = asked.query.get("name")
    labels = [text.partition(":")[::2] for text in asked.query.get_list("label")]
    found = [
        shown(state, m)
        for m in state.models.values()
        if wanted in (None, m["name"])
        and m["state"] == asked.query.get("state", "candidate")
        and all(m["labels"].get(name) == value for name, value in labels)
    ]
    return page(found, asked.query)


@route("POST", "/api/v1/models")
def import_model(state: State, asked: Asked) -> httpx.Response:
    from retort.testing.jobs import add_job

    body = asked.body()
    check_fields(body, frozenset({"file_id", "name", "sha256"}))
    find(state.files, body.get("file_id", ""), "file")
    job = add_job(state, "import_model", body, {})
    return respond(job, 202, {"Location": f"/api/v1/jobs/{job['id']}"})


@route("POST", "/api/v1/models/{ref}/export")
def export(state: State, asked: Asked, ref: str) -> httpx.Response:
    from retort.testing.jobs import add_job

    body = asked.body()
    check_fields(body, frozenset({"format"}))
    params = {"model": ref, "format": body.get("format", "bundle")}
    if params["format"] not in ("bundle", "pyfunc", "onnx"):
        raise Refused(422, "invalid_request", "/format: one of bundle, pyfunc, onnx")
    job = add_job(state, "export", params, {})
    return respond(job, 202, {"Location": f"/api/v1/jobs/{job['id']}"})


@route("GET", "/api/v1/models/{ref}")
def one(state: State, asked: Asked, ref: str) -> Json:
    return shown(state, model_of(state, ref))


@route("GET", "/api/v1/models/{ref}/evaluations")
def evaluations(state: State, asked: Asked, ref: str) -> Json:
    model = model_of(state, ref)
    found = [e for e in state.evaluations.values() if e["model_id"] == model["id"]]
    return page(found, asked.query)


@route("GET", "/api/v1/evaluations/{evaluation_id}")
def evaluation(state: State, asked: Asked, evaluation_id: str) -> Json:
    return find(state.evaluations, evaluation_id, "evaluation")


@route("GET", "/api/v1/models/{ref}/manifest")
def manifest(state: State, asked: Asked, ref: str) -> Json:
    model = model_of(state, ref)
    files = {name: digest(str(content)) for name, content in _FILES.items()}
    return {"model": model["ref"], "files": files, "fake": True}


@route("GET", "/api/v1/models/{ref}/report")
def report(state: State, asked: Asked, ref: str) -> httpx.Response:
    model = model_of(state, ref)
    return httpx.Response(200, html=f"<!doctype html><html><h1>{model['name']}</h1></html>")


@route("GET", "/api/v1/models/{ref}/card")
def card(state: State, asked: Asked, ref: str) -> httpx.Response:
    return httpx.Response(200, text=f"# Model card: {model_of(state, ref)['name']}\n")


@route("GET", "/api/v1/models/{ref}/qmrf")
def qmrf(state: State, asked: Asked, ref: str) -> httpx.Response:
    return httpx.Response(200, text=f"# QMRF-style summary: {model_of(state, ref)['name']}\n")


@route("GET", "/api/v1/models/{ref}/files/{path:path}")
def file(state: State, asked: Asked, ref: str, path: str) -> httpx.Response:
    model_of(state, ref)
    if path not in _FILES:
        raise not_found(f"file {path!r}")
    return httpx.Response(200, content=_FILES[path])


@route("POST", "/api/v1/predictions")
def predict(state: State, asked: Asked) -> Json:
    body = asked.body()
    inputs = body["inputs"]
    if len(inputs) > _AT_ONCE:
        raise Refused(422, "too_many_inputs", f"{len(inputs)} inputs are more than {_AT_ONCE}")
    for number, given in enumerate(inputs):
        text = given if isinstance(given, str) else given.get("smiles", "")
        if len(text) > 5_000:
            pointer = f"/inputs/{number}"
            detail = "a SMILES has at most 5,000 characters"
            errors = [{"pointer": pointer, "code": "string_too_long", "detail": detail}]
            raise Refused(422, "invalid_request", f"{pointer}: {detail}", errors=errors)
    model = model_of(state, body["model"])
    named = {name: model[name] for name in ("id", "name", "number")}
    answers = [predict_one(model, given) for given in inputs]
    history.count(state, model["id"], inputs)
    if body.get("remember"):
        history.remember(state, asked, named, answers)
    return {"model": named, "predictions": answers, "milliseconds": 0.0, "fake": True}


@route("GET", "/api/v1/studies")
def studies(state: State, asked: Asked) -> Json:
    return {"items": list(reversed(state.studies.values()))}


@route("GET", "/api/v1/studies/{study_id}")
def study(state: State, asked: Asked, study_id: str) -> Json:
    return _study(state, study_id)


def _study(state: State, study_id: str) -> Json:
    """By its own id or its job's."""
    known = {s["job_id"]: s for s in state.studies.values()} | state.studies
    return find(known, study_id, "study")


@route("GET", "/api/v1/studies/{study_id}/trials")
def trials(state: State, asked: Asked, study_id: str) -> Json:
    found = _study(state, study_id)
    items = [
        {"number": n, "state": "complete", "value": 0.6 - 0.1 * (n > 0), "params": found["best"]}
        for n in range(min(found["n_trials"], 50))
    ]
    return {"items": items}


@route("GET", "/api/v1/catalog/{kind}")
def catalog(state: State, asked: Asked, kind: str) -> Json:
    if kind not in _CATALOG:
        raise Refused(422, "invalid_request", f"path/kind: one of {', '.join(_CATALOG)}")
    return {"items": [_entry(name) for name in _CATALOG[kind]]}


@route("GET", "/api/v1/catalog/{kind}/{name}")
def catalog_entry(state: State, asked: Asked, kind: str, name: str) -> Json:
    if name not in _CATALOG.get(kind, ()):
        known = ", ".join(_CATALOG.get(kind, ()))
        raise Refused(422, "unknown_name", f"there is no {name!r}", f"Use one of: {known}.")
    return _entry(name)


def _entry(name: str) -> Json:
    return {"name": name, "aliases": [], "version": 1, "summary": "fake", "params": {}}


@route("GET", "/api/v1/admin/queues")
def queues(state: State, asked: Asked) -> Json:
    figures = {"queued": 0, "running": 0, "oldest_seconds": 0.0, "workers": 1}
    names = ("cpu", "gpu", "predict", "predict_now", "control")
    return {"items": [{"queue": name, **figures} for name in names]}


@route("GET", "/api/v1/admin/diagnosis")
def diagnosis(state: State, asked: Asked) -> Json:
    said = {"said": "it is kept in memory", "why": "", "remedy": ""}
    return {"state": "ok", "items": [{"name": "schema", "state": "ok", **said}]}


@route("GET", "/api/v1/admin/workers")
def workers(state: State, asked: Asked) -> Json:
    return {"items": [{"name": "fake", "queues": ["cpu"], "processes": 1, "started_at": None}]}


@route("GET", "/api/v1")
def about(state: State, asked: Asked) -> Json:
    return {
        "name": "Retort",
        "version": __version__,
        "caller": "fake",
        "fake": True,
        "links": {"docs": "/docs"},
    }


@route("GET", "/health/live")
def live(state: State, asked: Asked) -> Json:
    return {"status": "ok"}


@route("GET", "/health/ready")
def ready(state: State, asked: Asked) -> Json:
    return {"status": "ok", "checks": {"postgres": "ok", "redis": "ok", "storage": "ok"}}


@route("GET", "/problems")
def problems(state: State, asked: Asked) -> Json:
    return {"items": [_problem(code) for code in sorted(classes())]}


@route("GET", "/problems/{code}")
def one_problem(state: State, asked: Asked, code: str) -> Json:
    if code not in classes():
        raise not_found(f"problem {code!r}")
    return _problem(code)


def _problem(code: str) -> Json:
    about = (classes()[code].__doc__ or code).strip()
    return {"code": code, "title": code.replace("_", " "), "cause": about, "remedy": about}
