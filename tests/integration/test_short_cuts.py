"""The hottest requests without the framework: the same answers; the rest goes the whole way."""

import json
from datetime import UTC, datetime

import psycopg
import pytest
from starlette.requests import ClientDisconnect

from api.short_cuts import MAX_BODY
from api.strict_json import StrictJson
from app.core.ids import new_id
from app.db.models import ModelVersionRow
from app.db.projects import ApiKeyRow
from app.prediction.answer_cache import answer_key, input_key
from tests.support.datasets import registered

TRAIN = {"kind": "train", "params": {"dataset": "mols"}}


@pytest.fixture
def whole_way(monkeypatch):
    """Paths of the requests that went it."""
    seen, original = [], StrictJson.__call__

    async def noted(self, scope, receive, send):
        if scope["type"] == "http":
            seen.append(f"{scope['method']} {scope['path']}")
        await original(self, scope, receive, send)

    monkeypatch.setattr(StrictJson, "__call__", noted)
    return seen


@pytest.fixture
def lab(api, resources, whole_way):
    """A caller whose key was seen just now, and a data set."""
    with resources.database.session() as session:
        registered(session)
    assert api.get("jobs").status_code == 200
    whole_way.clear()
    return api


def shape(response):
    """All but what belongs to one request or one job."""
    own = ("x-request-id", "location", "etag", "date")
    headers = {name: value for name, value in response.headers.items() if name not in own}
    body = response.json()
    for name in ("id", "created_at", "links", "request_id"):
        body.pop(name, None)
    return response.status_code, {**headers, "content-length": None}, body


def test_submitting_gives_the_same_answer_either_way(lab, whole_way):
    short = lab.post("jobs", json=TRAIN)
    assert whole_way == []
    whole = lab.post(
        "jobs",
        content=json.dumps(TRAIN),
        headers={"Content-Type": "application/json;charset=utf-8"},
    )
    assert len(whole_way) == 1
    assert shape(short) == shape(whole)
    assert short.status_code == 202
    assert short.headers["location"].endswith(short.json()["id"])
    assert short.headers["x-request-id"]
    assert short.headers["x-content-type-options"] == "nosniff"


def test_polling_gives_the_same_answer_either_way(lab, whole_way):
    path = f"jobs/{lab.post('jobs', json=TRAIN).json()['id']}"
    short, whole = lab.get(path), lab.get(path, params={"wait": 0})
    assert len(whole_way) == 1
    assert (short.headers["etag"], shape(short)) == (whole.headers["etag"], shape(whole))
    fresh = lab.get(path, headers={"If-None-Match": short.headers["etag"]})
    assert (fresh.status_code, fresh.content, len(whole_way)) == (304, b"", 1)
    assert fresh.headers["etag"] == short.headers["etag"]


def test_what_the_domain_refuses_is_the_same_problem(lab, whole_way):
    wrong = TRAIN | {"params": {"dataset": "no-such"}}
    short = lab.post("jobs", json=wrong)
    missing = lab.get(f"jobs/{new_id()}")
    assert whole_way == []
    assert short.headers["content-type"] == "application/problem+json"
    assert missing.json()["code"] == "not_found"
    assert shape(short) == shape(lab.post("jobs", json=wrong, headers={"Prefer": "wait=1"}))
    assert short.json()["request_id"] == short.headers["x-request-id"]


def test_an_outage_is_a_503_and_a_bug_a_500(lab, whole_way, monkeypatch):
    def failing(error):
        async def fail(*_):
            raise error

        return fail

    desk = lab.gateway.state.desk
    monkeypatch.setattr(desk, "submit", failing(psycopg.OperationalError("gone")))
    answer = lab.post("jobs", json=TRAIN)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "2"
    monkeypatch.setattr(desk, "read", failing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):  # as any route's: answered, then raised for the log
        lab.get(f"jobs/{new_id()}")
    assert whole_way == []


def test_keys_are_kept_on_the_short_cut(lab, whole_way):
    first, again = (
        lab.post("jobs", json=TRAIN, headers={"Idempotency-Key": "key-12345"}) for _ in range(2)
    )
    other = lab.post("jobs", json=TRAIN | {"priority": 1}, headers={"Idempotency-Key": "key-12345"})
    assert whole_way == []
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b'{"kind": "train", "params": {"dataset": "mols"}, "no": 1}', {}, 422),
        (b'{"kind": "train"', {}, 400),
        (b'{"kind": "train", "params": {"dataset": "mols", "seed": NaN}}', {}, 400),
        (b"null", {}, 422),
        (b"", {}, 422),
        (json.dumps(TRAIN).encode(), {"Idempotency-Key": "short"}, 422),
        (json.dumps(TRAIN).encode(), {"Content-Type": "text/plain"}, 415),
        (json.dumps(TRAIN).encode(), {"Authorization": "Bearer nobody"}, 401),
        (json.dumps(TRAIN).encode() + b" " * MAX_BODY, {}, 202),
    ],
)  # fmt: skip
def test_what_is_not_ordinary_goes_the_whole_way(lab, whole_way, content, headers, status):
    answer = lab.post(
        "jobs", content=content, headers={"Content-Type": "application/json"} | headers
    )
    assert answer.status_code == status, answer.text
    assert len(whole_way) == 1


def test_a_revoked_key_stops_working_here_too(lab, resources, whole_way, monkeypatch):
    monkeypatch.setattr("api.dependencies._KEY_TTL_SECONDS", 0.0)
    with resources.database.session() as session:
        session.get_one(ApiKeyRow, lab.key_id).revoked_at = datetime.now(UTC)
    answer = lab.post("jobs", json=TRAIN)
    assert (answer.status_code, answer.json()["code"]) == (401, "key_revoked")
    assert len(whole_way) == 1, "a key that was not seen lately is looked up"


def test_a_client_that_hangs_up_in_the_middle_stores_nothing(lab):
    answers = []
    body = json.dumps(TRAIN).encode()
    messages = iter(
        [
            {"type": "http.request", "body": body, "more_body": True},
            {"type": "http.disconnect"},
        ]
    )

    async def receive():
        return next(messages, {"type": "http.disconnect"})

    async def send(message):
        answers.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
        "scheme": "http", "path": "/api/v1/jobs", "raw_path": b"/api/v1/jobs", "query_string": b"",
        "headers": [
            (b"authorization", lab.headers["Authorization"].encode()),
            (b"content-type", b"application/json"),
        ],
        "server": ("retort", 80), "client": ("test", 1), "state": {},
    }  # fmt: skip

    async def hang_up():
        try:
            await lab.gateway(scope, receive, send)
        except ClientDisconnect:
            return

    lab.portal.call(hang_up)
    assert lab.get("jobs").json()["items"] == []
    assert not any(message.get("status") == 202 for message in answers)


# ---- predictions


@pytest.fixture
def known(lab, resources):
    """A model with an answer to ethanol, and none to anything else."""
    model_id = new_id()
    with resources.database.session() as session:
        session.add(
            ModelVersionRow(
                id=model_id,
                name="esol",
                number=1,
                algorithm="ridge",
                task="regression",
                hyperparameters={},
                training_config={},
                targets=[],
                metrics={},
                feature_set_hash="0" * 64,
                device="cpu",
                manifest_key="nowhere",
                sha256="0" * 64,
            )
        )
    key = answer_key(model_id, input_key({"smiles": "CCO"}))
    resources.cache.set(key, b',"status":"ok","reason":null,"targets":{}')
    return str(model_id)


def asked(*inputs, **fields):
    return {"model": "esol", "inputs": list(inputs or ("CCO",)), **fields}


def predicted(response):
    status, headers, body = shape(response)
    return status, headers, body | {"milliseconds": None}


def test_predictions_are_the_same_either_way(lab, known, whole_way):
    given = asked("CCO", {"smiles": "CCO", "id": "mine"}, sticky_key="k")
    short = lab.post("predictions", json=given, headers={"X-Retort-Key": "one"})
    assert whole_way == []
    whole = lab.post("predictions", json=given, headers={"Prefer": "wait=5"})
    assert len(whole_way) == 1
    assert predicted(short) == predicted(whole)
    assert short.status_code == 200, short.text
    assert short.json()["model"] == {"id": known, "name": "esol", "number": 1}
    assert [item["id"] for item in short.json()["predictions"]] == [None, "mine"]
    assert all(item["cached"] for item in short.json()["predictions"])
    assert short.headers["x-request-id"]


def test_predictions_that_are_refused_are_the_same_problem(lab, known, whole_way):
    given = asked() | {"model": "no-such"}
    short = lab.post("predictions", json=given)
    assert whole_way == []
    assert (short.status_code, short.json()["code"]) == (404, "not_found")
    assert shape(short) == shape(lab.post("predictions", json=given, headers={"Prefer": "wait=5"}))


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (json.dumps(asked(no=1)), {}, 422),
        (json.dumps(asked({"id": "neither"})), {}, 422),
        ('{"model": "esol"', {}, 400),
        ('{"model": "esol", "inputs": [{"features": {"a": NaN}}]}', {}, 400),
        (json.dumps({"model": "esol", "inputs": []}), {}, 422),
        (json.dumps(asked(fallback="job")), {}, 200),
        (json.dumps(asked(*["CCO"] * 5_000)), {}, 422),
        (json.dumps(asked()), {"X-Retort-Key": "k" * 501}, 422),
        (json.dumps(asked()), {"Content-Type": "text/plain"}, 415),
        (json.dumps(asked()), {"Authorization": "Bearer nobody"}, 401),
    ],
)
def test_predictions_that_are_not_ordinary_go_the_whole_way(
    lab, known, whole_way, content, headers, status
):
    answer = lab.post(
        "predictions", content=content, headers={"Content-Type": "application/json"} | headers
    )
    assert answer.status_code == status, answer.text
    assert len(whole_way) == 1
