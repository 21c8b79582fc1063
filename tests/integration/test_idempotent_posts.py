"""Every POST that makes something makes it once for one Idempotency-Key.

The table is compared with the OpenAPI document: an operation that takes no such header stands here
with the reason why asking twice does no harm. What takes it is asked twice.
"""

import threading
from uuid import UUID

import pytest
from sqlalchemy import text

from app.core.settings import get_settings
from app.db.models import ModelVersionRow
from app.db.projects import ApiKeyRow
from app.resources import get_resources
from tests.support.datasets import ingested
from tests.support.gateway import calling
from tests.support.roles import bearer

KEY = {"Idempotency-Key": "once-and-only"}
QUESTION = "a question: it changes nothing"
STATE = "asks for a state: once it is there, asking again changes nothing"
OSDR = "the body's own `id` does what the header would (tests/integration/test_compat_osdr.py)"
EXCUSED = {
    "POST /compat/osdr/api/v1/calculate-feature-vectors": OSDR,
    "POST /compat/osdr/api/v1/predict-properties": OSDR,
    "POST /compat/osdr/api/v1/train-model": OSDR,
    "POST /api/v1/files/uploads": "answers 200 with the upload that was begun, if it says its hash",
    "POST /api/v1/files/uploads/{upload_id}/complete": "answers 200 with the file it became",
    "POST /api/v1/files/{file_id}/preview": QUESTION,
    "POST /api/v1/jobs/estimate": QUESTION,
    "POST /api/v1/schedules/preview": QUESTION,
    "POST /api/v1/comparisons": QUESTION,
    "POST /api/v1/predictions": "an answer; whoever wants its job once posts it to /jobs",
    "POST /api/v1/jobs/bulk": STATE,
    "POST /api/v1/jobs/{job_id}/cancel": STATE,
    "POST /api/v1/jobs/{job_id}/retry": "409 once the job is no longer a failed one",
    "POST /api/v1/models/{ref}/restore": STATE,
    "POST /api/v1/schedules/{name}/pause": STATE,
    "POST /api/v1/schedules/{name}/resume": STATE,
    "POST /api/v1/schedules/{name}/runs/{run_id}/approve": "409 run_not_held the second time",
    "POST /api/v1/schedules/{name}/runs/{run_id}/reject": "409 run_not_held the second time",
    "POST /api/v1/endpoints/{name}/canary": "If-Match, which each answer gives, lets it act once",
}


@pytest.fixture
def posts():
    """Of every POST of the document: whether it takes the header."""
    from api.main import create_api

    paths = create_api().openapi()["paths"]
    return {
        f"POST {path}": any(
            entry["name"].lower() == "idempotency-key"
            for entry in operations["post"].get("parameters", ())
        )
        for path, operations in paths.items()
        if "post" in operations
    }


def test_every_post_takes_the_key_or_is_excused(posts):
    assert len(posts) > 30
    assert {name for name, takes in posts.items() if not takes} == set(EXCUSED)
    assert all(EXCUSED.values())


def twice(client, path, **sent):
    """Two equal requests: one answer, and it says so."""
    first, again = (client.post(path, headers=KEY, **sent) for _ in range(2))
    assert first.status_code in (200, 201, 202), first.text
    assert "idempotency-replayed" not in first.headers
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    return first.json()


def mismatched(client, path, **sent):
    answer = client.post(path, headers=KEY, **sent)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


def test_a_file(api):
    content = b"smiles,y\nCCO,1\n"
    made = twice(api, "files", files={"file": ("m.csv", content, "text/csv")})
    assert [found["id"] for found in api.get("files").json()["items"]] == [made["id"]]
    mismatched(api, "files", files={"file": ("m.csv", content + b"C,2\n", "text/csv")})


# ---- webhooks


@pytest.fixture
def retort_environment(retort_environment, monkeypatch):
    more = {"RETORT_WEBHOOK_KEYS": "0123456789abcdef0123456789abcdef"}
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    get_resources.cache_clear()
    return retort_environment | more


@pytest.fixture
def hook(api):
    answer = api.post("webhooks", json={"url": "https://lab.example/hook"})
    assert answer.status_code == 201, answer.text
    return f"webhooks/{answer.json()['id']}"


def test_the_trial_of_a_webhook(api, hook):
    made = twice(api, f"{hook}/test")
    assert [found["id"] for found in api.get(f"{hook}/deliveries").json()["items"]] == [made["id"]]


def test_a_replay_of_deliveries(api, hook, resources):
    one = api.post(f"{hook}/test").json()["id"]
    with resources.database.session() as session:
        session.execute(text("UPDATE webhook_deliveries SET state = 'delivered'"))
    body = {"delivery_ids": [one]}
    assert twice(api, f"{hook}/replay", json=body)["count"] == 1
    with resources.database.session() as session:
        session.execute(text("UPDATE webhook_deliveries SET state = 'delivered'"))
    again = api.post(f"{hook}/replay", json=body, headers=KEY)
    assert (again.json()["count"], again.headers["idempotency-replayed"]) == (1, "true")
    assert api.get(f"{hook}/deliveries/{one}").json()["replays"] == 1
    mismatched(api, f"{hook}/replay", json={"since": "2026-11-01T00:00:00Z"})


# ---- endpoints


ROUTES = [{"model": "sol:1", "weight": 100}]


@pytest.fixture
def model(resources, monkeypatch):
    dataset_id, _ = ingested(resources, "smiles,y\nCCO,1\nCCC,2\n", name="d", roles={"y": "target"})
    with resources.database.session() as session:
        row = ModelVersionRow(
            name="sol",
            number=1,
            task="regression",
            algorithm="ridge",
            hyperparameters={},
            training_config={},
            targets=[{"name": "y"}],
            metrics={},
            dataset_id=dataset_id,
            feature_set_hash="h",
            device="cpu",
            manifest_key="models/sol-1/manifest.json",
            sha256="0",
        )
        session.add(row)
    monkeypatch.setattr("api.routes.endpoints.ask", lambda *_: {"inputs": "a structure"})


@pytest.mark.usefixtures("model")
def test_an_endpoint(api):
    body = {"name": "e", "routes": ROUTES}
    twice(api, "endpoints", json=body)
    assert len(api.get("endpoints/e/revisions").json()["items"]) == 1
    mismatched(api, "endpoints", json=body | {"note": "other"})
    other = api.post("endpoints", json=body, headers={"Idempotency-Key": "another-key"})
    assert other.json()["code"] == "endpoint_exists"


@pytest.mark.usefixtures("model")
def test_an_endpoint_asked_for_at_once(api):
    body, answers = {"name": "e", "routes": ROUTES}, []

    def ask():
        answers.append(api.post("endpoints", json=body, headers=KEY))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    codes = [answer.json().get("code", "made") for answer in answers]
    assert "made" in codes
    assert set(codes) <= {"made", "idempotency_in_progress"}
    assert len(api.get("endpoints/e/revisions").json()["items"]) == 1


@pytest.mark.usefixtures("model")
def test_a_way_back_goes_back_once(api):
    api.post("endpoints", json={"name": "e", "routes": ROUTES})
    for note in ("two", "three"):
        answer = api.put(
            "endpoints/e",
            json={"routes": ROUTES, "deadline_ms": 1_000, "note": note, "min_replicas": len(note)},
            headers={"If-Match": "*"},
        )
        assert answer.status_code == 200, answer.text
    before = len(api.get("endpoints/e/revisions").json()["items"])
    twice(api, "endpoints/e/rollback", json={})
    assert len(api.get("endpoints/e/revisions").json()["items"]) == before + 1


@pytest.mark.usefixtures("model")
def test_measured_outcomes(api, resources):
    api.post("endpoints", json={"name": "e", "routes": ROUTES})
    outcome = {"structure": "CCO", "target": "y", "measured": 1.5}
    twice(api, "endpoints/e/outcomes", json={"outcomes": [outcome]})
    with resources.database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM endpoint_outcomes")) == 1


# ---- keys: their text is kept nowhere


READER = {"name": "plate reader", "role": "scientist"}


@pytest.fixture
def admin(api, resources):
    api.headers.update(bearer(resources, "admin", name="boss"))
    return api


def refused(answer, prefix):
    assert answer.status_code == 409, answer.text
    said = answer.json()
    assert said["code"] == "key_made_before"
    assert prefix in said["detail"]
    assert f"/keys/{prefix}/rotate" in said["remedy"]
    assert "rt_" not in answer.text


def test_a_key_is_made_once_and_named_not_shown_again(admin, resources):
    first, again = (admin.post("keys", json=READER, headers=KEY) for _ in range(2))
    assert first.status_code == 201
    refused(again, first.json()["prefix"])
    mismatched(admin, "keys", json=READER | {"role": "viewer"})
    secret = first.json()["key"].split("_", 2)[2]
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT count(*) AS n FROM api_keys WHERE name = 'plate reader'")
        assert cursor.fetchone()["n"] == 1
        cursor.execute("SELECT * FROM idempotency_keys")
        assert secret not in str(cursor.fetchall())


def test_a_key_is_rotated_once(admin, resources):
    old = admin.post("keys", json=READER).json()["prefix"]
    first, again = (admin.post(f"keys/{old}/rotate", headers=KEY) for _ in range(2))
    assert first.status_code == 201
    refused(again, first.json()["prefix"])
    with resources.database.session() as session:
        assert session.query(ApiKeyRow).filter_by(name="plate reader").count() == 2


def test_another_caller_has_keys_of_his_own(admin, resources):
    made = admin.post("keys", json=READER, headers=KEY).json()
    with calling(resources) as other:
        other.headers.update(bearer(resources, "admin", name="deputy"))
        answer = other.post("keys", json=READER | {"name": "second"}, headers=KEY)
    assert answer.status_code == 201, answer.text
    assert UUID(answer.json()["id"]) != UUID(made["id"])
