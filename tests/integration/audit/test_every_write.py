"""Every operation of the API that may change something leaves an entry, or is excused here.

Nothing is believed: each operation below is asked of the gateway, succeeds, and is then looked up
in the log by the id of its request.
"""

import hashlib
import re
from types import SimpleNamespace
from uuid import UUID

import orjson
import pytest

from api.trail import UNTOLD
from app.access.keys import create_key
from app.core.ids import new_id
from app.db.base import DEFAULT_PROJECT_ID as PROJECT
from app.db.models import AliasRow, ModelVersionRow
from app.history.sink import drain, push
from tests.support.datasets import ingested, stored_file
from tests.support.gateway import calling
from tests.support.predictions import entries

pytestmark = pytest.mark.req("goal-94", "S1-40")

ROUTES = [{"model": "sol:1", "weight": 100}]
TRAIN = {"kind": "train", "params": {"dataset": "d", "targets": ["y"]}}
ANY = {"If-Match": "*"}
OSDR = "http://retort/compat/osdr/api/v1"
NO_WAIT = {"Prefer": "respond-async"}
COMMAND = {"id": "c-1", "user_id": "ada", "dataset_id": "d"}

#: operation: why it leaves no entry
EXCUSED = {
    "POST /api/v1/predictions": "told by the endpoint's history policy, with caller, model version"
    " and request id (S1-40); as a job (respond-async) it is told like every job",
    "POST /api/v1/comparisons": "a question with a long body; nothing is stored",
    "POST /api/v1/jobs/estimate": "a question with a long body; nothing is stored",
    "POST /api/v1/schedules/preview": "a question with a body; nothing is stored",
    "POST /api/v1/files/{}/preview": "a question with a long body; nothing is stored",
    "PUT /api/v1/files/uploads/{}/parts/{}": "invisible until the upload is completed, which is"
    " told; begun, completed and discarded uploads are told",
    "POST /compat/worker/train": "submits a job through the same door as POST /api/v1/jobs, which"
    " tells of it; test_jobs_through_other_doors",
    "POST /compat/worker/optimize": "as /compat/worker/train",
}

#: operation: the test that looks for its entry
ELSEWHERE = {
    "POST /api/v1/schedules/{}/runs/{}/approve": "test_retraining: it takes a retraining",
    "POST /api/v1/schedules/{}/runs/{}/reject": "test_retraining",
}

#: operation: (how it is asked, action, resource of its entry)
TOLD = {
    "POST /api/v1/files": (
        lambda api, s: api.post("files", files={"file": ("a.csv", b"smiles\nC\n")}),
        ("files.create", r"files/[0-9a-f-]{36}"),
    ),
    "POST /api/v1/files/uploads": (
        lambda api, s: api.post("files/uploads", json={"name": "u", "size": 9}),
        ("files.uploads.create", "files/uploads"),
    ),
    "POST /api/v1/files/uploads/{}/complete": (
        lambda api, s: api.post(f"files/uploads/{s.sent()}/complete"),
        ("files.uploads.complete", r"files/uploads/[0-9a-f-]{36}/complete"),
    ),
    "DELETE /api/v1/files/uploads/{}": (
        lambda api, s: api.delete(f"files/uploads/{s.begun()}"),
        ("files.uploads.delete", r"files/uploads/[0-9a-f-]{36}"),
    ),
    "POST /api/v1/datasets": (
        lambda api, s: api.post("datasets", json={"file_id": str(s.file), "name": "new"}),
        ("jobs.submit", r"jobs/[0-9a-f-]{36}"),
    ),
    "PATCH /api/v1/datasets/{}": (
        lambda api, s: api.patch("datasets/d", json={"labels": {"a": "b"}}),
        ("datasets.change", "datasets/d:1"),
    ),
    "POST /api/v1/jobs": (
        lambda api, s: api.post("jobs", json=TRAIN),
        ("jobs.submit", r"jobs/[0-9a-f-]{36}"),
    ),
    "PATCH /api/v1/jobs/{}": (
        lambda api, s: api.patch(f"jobs/{s.job}", json={"labels": {"a": "b"}}),
        ("jobs.change", r"jobs/[0-9a-f-]{36}"),
    ),
    "POST /compat/osdr/api/v1/calculate-feature-vectors": (
        lambda api, s: api.post(f"{OSDR}/calculate-feature-vectors", json=COMMAND),
        ("jobs.submit", r"jobs/[0-9a-f-]{36}"),
    ),
    "POST /compat/osdr/api/v1/train-model": (
        lambda api, s: api.post(f"{OSDR}/train-model", json=COMMAND, headers=NO_WAIT),
        ("jobs.submit", r"jobs/[0-9a-f-]{36}"),
    ),
    "POST /compat/osdr/api/v1/predict-properties": (
        lambda api, s: api.post(
            f"{OSDR}/predict-properties", json=COMMAND | {"model_id": "sol:1"}, headers=NO_WAIT
        ),
        ("jobs.submit", r"jobs/[0-9a-f-]{36}"),
    ),
    "POST /api/v1/jobs/bulk": (
        lambda api, s: api.post(
            "jobs/bulk",
            json={
                "action": "relabel",
                "filter": {"kind": "train"},
                "labels": {"x": "y"},
                "dry_run": False,
            },
        ),
        ("jobs.bulk.create", "jobs/bulk"),
    ),
    "POST /api/v1/jobs/{}/rerun": (
        lambda api, s: api.post(f"jobs/{s.job}/rerun", json={}),
        ("jobs.submit", r"jobs/[0-9a-f-]{36}"),
    ),
    "POST /api/v1/jobs/{}/cancel": (
        lambda api, s: api.post(f"jobs/{s.job}/cancel"),
        ("jobs.cancel", r"jobs/[0-9a-f-]{36}/cancel"),
    ),
    "POST /api/v1/jobs/{}/retry": (
        lambda api, s: api.post(f"jobs/{s.failed()}/retry"),
        ("jobs.retry", r"jobs/[0-9a-f-]{36}/retry"),
    ),
    "POST /api/v1/workflows": (
        lambda api, s: api.post("workflows", json={"jobs": {"a": TRAIN}}),
        ("jobs.submit", r"jobs/[0-9a-f-]{36}"),
    ),
    "POST /api/v1/models": (
        lambda api, s: api.post("models", json={"file_id": str(s.file), "name": "theirs"}),
        ("jobs.submit", r"jobs/[0-9a-f-]{36}"),
    ),
    "POST /api/v1/models/{}/export": (
        lambda api, s: api.post("models/sol:1/export", json={"format": "bundle"}),
        ("jobs.submit", r"jobs/[0-9a-f-]{36}"),
    ),
    "PATCH /api/v1/models/{}": (
        lambda api, s: api.patch("models/sol:1", json={"description": "d"}),
        ("models.change", "models/sol:1"),
    ),
    "DELETE /api/v1/models/{}": (
        lambda api, s: api.delete("models/sol:3"),
        ("models.archive", "models/sol:3"),
    ),
    "POST /api/v1/models/{}/restore": (
        lambda api, s: api.post("models/sol:3/restore"),
        ("models.restore", "models/sol:3"),
    ),
    "PATCH /api/v1/registry/{}": (
        lambda api, s: api.patch("registry/sol", json={"labels": {"a": "b"}}),
        ("registry.change", "registry/sol"),
    ),
    "PUT /api/v1/registry/{}/aliases/{}": (
        lambda api, s: api.put("registry/sol/aliases/champion", json={"version": 2}),
        ("registry.aliases.promoted", "registry/sol/aliases/champion"),
    ),
    "POST /api/v1/registry/{}/aliases/{}/rollback": (
        lambda api, s: api.post("registry/sol/aliases/champion/rollback", json={}),
        ("registry.aliases.rolled_back", "registry/sol/aliases/champion"),
    ),
    "DELETE /api/v1/registry/{}/aliases/{}": (
        lambda api, s: api.delete("registry/sol/aliases/champion"),
        ("registry.aliases.delete", "registry/sol/aliases/champion"),
    ),
    "PUT /api/v1/registry/{}/policies/{}": (
        lambda api, s: api.put("registry/sol/policies/champion", json={"required": False}),
        ("registry.policies.put", "registry/sol/policies/champion"),
    ),
    "DELETE /api/v1/registry/{}/policies/{}": (
        lambda api, s: api.delete("registry/sol/policies/champion"),
        ("registry.policies.delete", "registry/sol/policies/champion"),
    ),
    "POST /api/v1/endpoints": (
        lambda api, s: api.post("endpoints", json={"name": "e", "routes": ROUTES}),
        ("endpoints.create", "endpoints"),
    ),
    "PUT /api/v1/endpoints/{}": (
        lambda api, s: api.put(
            "endpoints/e", json={"routes": ROUTES, "canary": {"model": "sol:2"}}, headers=ANY
        ),
        ("endpoints.put", "endpoints/e"),
    ),
    "POST /api/v1/endpoints/{}/canary": (
        lambda api, s: api.post("endpoints/e/canary", json={"action": "pause"}),
        ("endpoints.canary", "endpoints/e/canary"),
    ),
    "PATCH /api/v1/endpoints/{}": (
        lambda api, s: api.patch("endpoints/e", json={"description": "d"}, headers=ANY),
        ("endpoints.change", "endpoints/e"),
    ),
    "POST /api/v1/endpoints/{}/rollback": (
        lambda api, s: api.post("endpoints/e/rollback", json={"revision": 1}),
        ("endpoints.rollback", "endpoints/e/rollback"),
    ),
    "POST /api/v1/endpoints/{}/outcomes": (
        lambda api, s: api.post(
            "endpoints/e/outcomes",
            json={"outcomes": [{"structure": "CCO", "target": "y", "measured": 1.0}]},
        ),
        ("endpoints.outcomes", "endpoints/e/outcomes"),
    ),
    "DELETE /api/v1/endpoints/{}": (
        lambda api, s: api.delete("endpoints/e", headers=ANY),
        ("endpoints.delete", "endpoints/e"),
    ),
    "PUT /api/v1/admin/quotas": (
        lambda api, s: api.put("admin/quotas", json={"key": "admin", "queued_jobs": 100}),
        ("quotas.put", "keys/admin"),
    ),
    "POST /api/v1/keys": (
        lambda api, s: api.post("keys", json={"name": "robot", "role": "viewer"}),
        ("keys.create", r"keys/[0-9a-f]{8}"),
    ),
    "POST /api/v1/keys/{}/rotate": (
        lambda api, s: api.post(f"keys/{s.other_key()}/rotate", json={}),
        ("keys.rotate", r"keys/[0-9a-f]{8}"),
    ),
    "DELETE /api/v1/keys/{}": (
        lambda api, s: api.delete(f"keys/{s.other_key()}"),
        ("keys.revoke", r"keys/[0-9a-f]{8}"),
    ),
    "POST /api/v1/schedules": (
        lambda api, s: api.post("schedules", json={"name": "n", "cron": "0 2 * * *", "job": TRAIN}),
        ("schedules.create", "schedules/n"),
    ),
    "PATCH /api/v1/schedules/{}": (
        lambda api, s: api.patch("schedules/n", json={"description": "d"}, headers=ANY),
        ("schedules.change", "schedules/n"),
    ),
    "POST /api/v1/schedules/{}/pause": (
        lambda api, s: api.post("schedules/n/pause"),
        ("schedules.pause", "schedules/n"),
    ),
    "POST /api/v1/schedules/{}/resume": (
        lambda api, s: api.post("schedules/n/resume"),
        ("schedules.resume", "schedules/n"),
    ),
    "POST /api/v1/schedules/{}/run": (
        lambda api, s: api.post("schedules/n/run"),
        ("schedules.run", "schedules/n"),
    ),
    "DELETE /api/v1/schedules/{}": (
        lambda api, s: api.delete("schedules/n", headers=ANY),
        ("schedules.delete", "schedules/n"),
    ),
    "POST /api/v1/webhooks": (
        lambda api, s: api.post("webhooks", json={"url": "https://lab.example/hook"}),
        ("webhooks.create", r"webhooks/[0-9a-f-]{36}"),
    ),
    "PATCH /api/v1/webhooks/{}": (
        lambda api, s: api.patch(f"webhooks/{s.webhook()}", json={"types": []}, headers=ANY),
        ("webhooks.update", r"webhooks/[0-9a-f-]{36}"),
    ),
    "POST /api/v1/webhooks/{}/rotate": (
        lambda api, s: api.post(f"webhooks/{s.webhook()}/rotate", json={}),
        ("webhooks.rotate", r"webhooks/[0-9a-f-]{36}"),
    ),
    "POST /api/v1/webhooks/{}/test": (
        lambda api, s: api.post(f"webhooks/{s.webhook()}/test"),
        ("webhooks.test", r"webhooks/[0-9a-f-]{36}/test"),
    ),
    "POST /api/v1/webhooks/{}/replay": (
        lambda api, s: api.post(
            f"webhooks/{s.webhook()}/replay", json={"since": "2026-11-01T00:00:00Z"}
        ),
        ("webhooks.replay", r"webhooks/[0-9a-f-]{36}"),
    ),
    "DELETE /api/v1/webhooks/{}": (
        lambda api, s: api.delete(f"webhooks/{s.webhook()}", headers=ANY),
        ("webhooks.archive", r"webhooks/[0-9a-f-]{36}"),
    ),
    "DELETE /api/v1/predictions/{}": (
        lambda api, s: api.delete(f"predictions/{s.prediction()}"),
        ("predictions.delete", r"predictions/[0-9a-f-]{36}"),
    ),
    "DELETE /api/v1/predictions": (
        lambda api, s: api.delete("predictions", params={"mode": "live"}),
        ("predictions.delete", "predictions"),
    ),
    "DELETE /api/v1/admin/prediction-cache/{}": (
        lambda api, s: api.delete("admin/prediction-cache/sol:1"),
        (r"[a-z_.-]+", r".+"),
    ),
}


@pytest.fixture(autouse=True)
def webhook_keys(monkeypatch):
    """Before the settings are read."""
    monkeypatch.setenv("RETORT_WEBHOOK_KEYS", "k" * 32)


@pytest.fixture
def scene(resources, monkeypatch):
    """An administrator, a data set, three versions of a model, and who answers for workers."""
    monkeypatch.setattr("api.routes.endpoints.ask", lambda *_: {"inputs": "a structure"})
    monkeypatch.setattr("api.gated_moves.ask", lambda *_: {"gate": None})
    dataset_id, _ = ingested(resources, "smiles,y\nCCO,1\nCCC,2\n", name="d", roles={"y": "target"})
    with resources.database.session() as session:
        rows = [_version(number, dataset_id) for number in (1, 2, 3)]
        session.add_all(rows)
        session.flush()
        session.add(AliasRow(project_id=PROJECT, name="sol", alias="champion", model_id=rows[0].id))
    with calling(resources) as api:
        with resources.database.session() as session:
            key = create_key(session, name="admin", is_admin=True)
        api.headers["Authorization"] = f"Bearer {key.text}"
        job = api.post("jobs", json=TRAIN).json()["id"]
        file = stored_file(resources, "smiles\nCC\n")
        yield SimpleNamespace(api=api, **_doing(resources, api), job=job, file=file, key=key.text)


def _version(number, dataset_id):
    return ModelVersionRow(
        name="sol",
        number=number,
        task="regression",
        algorithm="ridge",
        hyperparameters={},
        training_config={},
        targets=[{"name": "y"}],
        metrics={},
        dataset_id=dataset_id,
        feature_set_hash="h",
        device="cpu",
        manifest_key=f"models/sol-{number}/manifest.json",
        sha256="0",
    )


def _doing(resources, api):
    def begun():
        body = {"name": "u", "size": 9}
        return api.post("files/uploads", json=body).json()["id"]

    def sent():
        upload = begun()
        answer = api.put(f"files/uploads/{upload}/parts/1", content=b"smiles\nC\n")
        assert answer.status_code == 200, answer.text
        return upload

    def prediction():
        made = entries("C")
        push(resources.redis, made)
        drain(resources)
        return made[0].id

    def failed():
        with resources.database.cursor() as cursor:
            cursor.execute(
                "INSERT INTO jobs (id, project_id, kind, state, queue, params, created_by)"
                " VALUES (%s, %s, 'train', 'failed', 'cpu', '{}', 'key:admin') RETURNING id",
                (new_id(), PROJECT),
            )
            return cursor.fetchone()["id"]

    def other_key():
        body = {"name": f"other-{new_id()}", "role": "viewer"}
        return api.post("keys", json=body).json()["prefix"]

    def webhook():
        return api.post("webhooks", json={"url": "https://lab.example/hook"}).json()["id"]

    return {
        "begun": begun,
        "sent": sent,
        "prediction": prediction,
        "failed": failed,
        "other_key": other_key,
        "webhook": webhook,
    }


def told(resources, request_id):
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT * FROM audit_log WHERE request_id = %s ORDER BY id", (request_id,))
        return cursor.fetchall()


def _operations(api):
    paths = api.gateway.openapi()["paths"]
    return {
        f"{method.upper()} {re.sub('{[^}]*}', '{}', path)}"
        for path, found in paths.items()
        for method in found
        if method != "get"
    }


def test_every_operation_is_told_or_excused(scene):
    assert _operations(scene.api) - TOLD.keys() - EXCUSED.keys() - ELSEWHERE.keys() == set()


def test_nobody_is_excused_twice_or_without_need(scene):
    assert TOLD.keys() & (EXCUSED.keys() | ELSEWHERE.keys()) == set()
    operations = _operations(scene.api)
    assert (TOLD.keys() | EXCUSED.keys() | ELSEWHERE.keys()) - operations == set()
    named = {f"{method} /api/v1/{re.sub('{[^}]*}', '{}', path)}" for method, path in UNTOLD}
    assert named == {op for op in EXCUSED if op.split()[1].startswith("/api/v1/")}


def test_each_leaves_one_entry_that_says_who_what_and_from_where(scene, resources):
    wrong = []
    for operation, (ask, (action, resource)) in TOLD.items():
        request_id = hashlib.sha256(operation.encode()).hexdigest()[:32]
        answer = ask(_Asking(scene.api, request_id), scene)
        if answer.status_code >= 300:
            wrong.append(f"{operation}: {answer.status_code} {answer.text[:300]}")
            continue
        rows = told(resources, request_id)
        if action != "jobs.submit":  # a run of a schedule is told, and so is its job
            rows = [row for row in rows if row["action"] != "jobs.submit"]
        if len(rows) != 1:
            wrong.append(f"{operation}: {len(rows)} entries")
            continue
        (row,) = rows
        fits = re.fullmatch(action, row["action"]) and re.fullmatch(resource, row["resource"])
        from_here = (row["principal"], row["ip"], row["user_agent"])
        if not fits or from_here != ("key:admin", "testclient", "testclient"):
            wrong.append(f"{operation}: {row['action']} {row['resource']} {from_here}")
    assert wrong == []


class _Asking:
    """Requests that bear this id; what prepares them goes through the plain client."""

    def __init__(self, api, request_id):
        self._api, self._id = api, {"X-Request-ID": request_id}

    def __getattr__(self, method):
        def ask(path, headers=None, **options):
            said = {**self._id, **(headers or {})}
            return getattr(self._api, method)(path, headers=said, **options)

        return ask


def test_what_an_entry_keeps_of_the_change(scene, resources):
    scene.api.patch("models/sol:1", json={"description": "new"}, headers={"X-Request-ID": "one"})
    (row,) = told(resources, "one")
    assert row["after"]["description"] == "new"
    before = {"state": row["after"]["state"], "labels": {}, "description": "", "semver": None}
    canonical = orjson.dumps(before, option=orjson.OPT_SORT_KEYS)
    assert row["before_hash"] == hashlib.sha256(canonical).hexdigest()


def test_what_fails_leaves_no_entry(scene, resources):
    answer = scene.api.put(
        "registry/sol/aliases/champion", json={"version": 99}, headers={"X-Request-ID": "one"}
    )
    assert answer.status_code == 404
    assert told(resources, "one") == []


def test_asking_twice_for_what_is_done_leaves_no_second_entry(scene, resources):
    for request_id in ("one", "two"):
        answer = scene.api.post(f"jobs/{scene.job}/cancel", headers={"X-Request-ID": request_id})
        assert answer.status_code == 202
    assert (len(told(resources, "one")), len(told(resources, "two"))) == (1, 0)


def test_a_replayed_submission_leaves_no_second_entry(scene, resources):
    for request_id in ("one", "two"):
        headers = {"X-Request-ID": request_id, "Idempotency-Key": "the-same-key"}
        answer = scene.api.post("jobs", json=TRAIN, headers=headers)
    assert answer.headers["idempotency-replayed"] == "true"
    assert (len(told(resources, "one")), len(told(resources, "two"))) == (1, 0)


def test_jobs_through_other_doors_say_which(scene, resources):
    body = {"file_id": str(scene.file), "name": "new"}
    job = scene.api.post("datasets", json=body, headers={"X-Request-ID": "one"})
    (row,) = told(resources, "one")
    assert row["resource"] == job.headers["location"].removeprefix("/api/v1/")
    assert row["details"] == {"kind": "ingest", "through": "datasets.create"}
    assert UUID(row["resource"].partition("/")[2])


def test_a_question_leaves_none(scene, resources):
    body = {"items": [{"predicted": {"y": 1.0}, "reference": {"y": 1.1}}]}
    answer = scene.api.post("comparisons", json=body, headers={"X-Request-ID": "one"})
    assert answer.status_code == 200, answer.text
    assert told(resources, "one") == []


def test_keys_appear_in_no_entry(scene, resources):
    """Not even a part of one that somebody sends as a label; a whole one is refused."""
    labels = {"note": f"use {scene.key}", "api_key": "hush-hush"}
    answer = scene.api.post("endpoints", json={"name": "e", "routes": ROUTES, "labels": labels})
    assert answer.status_code == 422
    labels["note"] = f"use {scene.key[:-8]}"
    answer = scene.api.post("endpoints", json={"name": "e", "routes": ROUTES, "labels": labels})
    assert answer.status_code == 201, answer.text
    with resources.database.cursor() as cursor:
        cursor.execute("SELECT audit_log::text AS told FROM audit_log")
        everything = " ".join(row["told"] for row in cursor.fetchall())
    secret = scene.key.split("_", 2)[2]
    assert secret[:-8] not in everything
    assert "hush-hush" not in everything
