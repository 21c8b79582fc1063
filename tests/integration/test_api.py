"""The gateway on real Postgres and Redis, without workers: conventions and bad requests."""

import hashlib
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from starlette.testclient import TestClient

from app.access.keys import create_key
from app.core.ids import new_id
from app.core.work import Outcome
from app.db.base import DEFAULT_PROJECT_ID
from app.db.projects import ApiKeyRow, ProjectRow
from app.jobs.claim import Owner, beat, claim_job
from app.jobs.finish import succeed
from app.jobs.store import list_jobs
from app.storage import keys
from workers.queues import redis_list

OPEN_ROUTES = {
    *("/health/live", "/health/ready", "/problems", "/problems/{code}"),
    "/compat/worker/health",
    *("/schemas", "/schemas/{type}/{version}", "/asyncapi.json"),
}
OWNER = Owner(worker="test", pid=1)


@pytest.fixture
def file_id(api):
    files = {"file": ("mols.csv", b"smiles,y\nCCO,1\nCCC,2\n")}
    return api.post("files", files=files).json()["id"]


@pytest.fixture
def ingest(file_id):
    return {"kind": "ingest", "params": {"file_id": file_id, "name": "mols"}}


def problem(response, status, code):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["code"] == code
    assert body["type"] == f"/problems/{code}"
    assert body["remedy"]
    assert body["request_id"] == response.headers["x-request-id"]
    assert "Traceback" not in response.text
    assert "site-packages" not in response.text
    return body


# ---- what the gateway is


@pytest.mark.req("F-01", "K-4", "goal-2")
def test_the_gateway_loads_no_science():
    code = (
        "import sys, api.main; api.main.create_api();"
        "names = ('torch', 'sklearn', 'rdkit', 'lightgbm', 'lightning');"
        "bad = [name for name in names if name in sys.modules];"
        "sys.exit(f'loaded: {bad}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]


@pytest.mark.req("goal-92")
def test_every_route_but_health_needs_a_key(api):
    paths = api.get("http://retort/openapi.json").json()["paths"]
    assert len(paths) > 30
    checked = 0
    for path, operations in paths.items():
        if path in OPEN_ROUTES:
            continue
        url = path.replace("{", "").replace("}", "")
        for method in operations:
            response = api.request(method, f"http://retort{url}", headers={"Authorization": ""})
            assert response.status_code == 401, f"{method} {path}: {response.status_code}"
            assert response.headers["www-authenticate"] == "Bearer"
            checked += 1
    assert checked > 35


@pytest.mark.parametrize("key", ["", "x", "rt_00000000_" + "a" * 43, "Bearer", "rt_' OR 1=1 --"])
def test_a_wrong_key_is_refused(api, key):
    problem(api.get("jobs", headers={"Authorization": f"Bearer {key}"}), 401, "unauthorized")


def test_an_expired_or_revoked_key_is_refused(resources):
    from api.main import create_api

    with TestClient(create_api(resources), base_url="http://retort/api/v1/") as client:
        for column, code in (("revoked_at", "key_revoked"), ("expires_at", "key_expired")):
            with resources.database.session() as session:
                key = create_key(session, name=column)
            with resources.database.cursor() as cursor:
                cursor.execute(
                    f"UPDATE api_keys SET {column} = now() - interval '1 s' WHERE id = %s",
                    (key.id,),
                )
            response = client.get("jobs", headers={"Authorization": f"Bearer {key.text}"})
            problem(response, 401, code)
            guessed = f"{key.text[:12]}{'a' * 43}"
            response = client.get("jobs", headers={"Authorization": f"Bearer {guessed}"})
            problem(response, 401, "unauthorized")  # nothing is told to who only knows the prefix


def test_secrets_are_stored_as_hashes(resources):
    with resources.database.session() as session:
        key = create_key(session, name="k")
        row = session.get(ApiKeyRow, key.id)
        assert key.text.split("_", 2)[2] not in (row.hash, row.prefix, row.name)


@pytest.mark.req("S1-05")
def test_health_and_headers(api):
    ready = api.get("http://retort/health/ready")
    assert ready.json()["checks"] == dict.fromkeys(("postgres", "schema", "redis", "storage"), "ok")
    assert ready.headers["x-content-type-options"] == "nosniff"
    assert api.get("jobs", headers={"X-Request-ID": "mine-1"}).headers["x-request-id"] == "mine-1"


# ---- jobs


@pytest.mark.req("K-6", "goal-1")
def test_submit_and_poll(api, ingest):
    answer = api.post("jobs", json=ingest | {"labels": {"a": "b"}, "client_ref": "r"})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["state"], job["queue"], job["labels"]) == ("queued", "cpu", {"a": "b"})
    assert api.get(f"jobs/{job['id']}").json() == job


@pytest.mark.req("K-1")
def test_the_message_reaches_the_broker(api, ingest, resources):
    job = api.post("jobs", json=ingest).json()
    for _ in range(100):
        message = resources.redis.lindex(redis_list("cpu", 5), 0)
        if message:
            break
        time.sleep(0.05)
    headers = json.loads(message)["headers"]
    assert headers["task"] == "retort.ingest"
    assert headers["id"] == f"{job['id']}.1"


@pytest.mark.req("goal-4")
def test_one_idempotency_key_is_one_job(api, ingest):
    headers = {"Idempotency-Key": "abcdefgh"}
    first = api.post("jobs", json=ingest, headers=headers)
    again = api.post("jobs", json=ingest, headers=headers)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    other = api.post("jobs", json=ingest | {"priority": 9}, headers=headers)
    problem(other, 422, "idempotency_key_reused")
    problem(
        api.post("jobs", json=ingest, headers={"Idempotency-Key": "short"}), 422, "invalid_request"
    )


@pytest.mark.slow
@pytest.mark.req("goal-4")
def test_a_thousand_concurrent_duplicates_are_one_job(api, ingest, resources):
    headers = {"Idempotency-Key": "a-thousand-times"}

    def post(_):
        while True:
            answer = api.post("jobs", json=ingest, headers=headers)
            if answer.status_code == 202:
                return answer.json()["id"]
            body = problem(answer, 409, "idempotency_in_progress")
            assert body["retryable"]
            assert answer.headers["retry-after"]

    with ThreadPoolExecutor(16) as pool:
        ids = set(pool.map(post, range(1000)))
    assert len(ids) == 1
    assert len(list_jobs(resources.database, DEFAULT_PROJECT_ID, limit=200)) == 1


@pytest.mark.req("goal-19")
def test_pages_neither_skip_nor_repeat_while_jobs_arrive(api, ingest):
    made = [api.post("jobs", json=ingest).json()["id"] for _ in range(25)]
    seen, cursor = [], None
    while True:
        page = api.get("jobs", params={"limit": 7} | ({"cursor": cursor} if cursor else {})).json()
        seen += [job["id"] for job in page["items"]]
        api.post("jobs", json=ingest)
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == list(reversed(made))


def test_filters_and_a_strange_cursor(api, ingest):
    api.post("jobs", json=ingest | {"labels": {"n": "1"}})
    api.post("jobs", json=ingest | {"labels": {"n": "2"}})
    found = api.get("jobs", params={"label": "n:2", "kind": "ingest", "state": "queued"}).json()
    assert [job["labels"] for job in found["items"]] == [{"n": "2"}]
    problem(api.get("jobs", params={"cursor": "nonsense!"}), 422, "invalid_cursor")


@pytest.mark.req("goal-6")
def test_an_unchanged_job_is_not_sent_again(api, ingest, resources):
    job_id = api.post("jobs", json=ingest).json()["id"]
    etag = api.get(f"jobs/{job_id}").headers["etag"]
    assert api.get(f"jobs/{job_id}", headers={"If-None-Match": etag}).status_code == 304
    job = claim_job(resources.database, UUID(job_id), OWNER, lease_seconds=60)
    beat(resources.database, job.id, job.claim_token, lease_seconds=60, progress={"percent": 1.0})
    assert api.get(f"jobs/{job_id}", headers={"If-None-Match": etag}).status_code == 200


def claim_later(resources, job_id, *, then, after=0.5):
    def work():
        time.sleep(after)
        job = claim_job(resources.database, UUID(job_id), OWNER, lease_seconds=60)
        if then == "succeed":
            time.sleep(0.2)
            succeed(resources.database, job, Outcome(result={"x": 1}))

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.req("goal-6")
def test_a_long_poll_answers_at_the_change(api, ingest, resources):
    job = api.post("jobs", json=ingest).json()
    thread = claim_later(resources, job["id"], then="run")
    started = time.monotonic()
    fresh = api.get(f"jobs/{job['id']}", params={"wait": 20, "if_version": job["version"]}).json()
    assert fresh["state"] == "running"
    assert time.monotonic() - started < 5
    thread.join()


def test_a_long_poll_gives_up_in_time(api, ingest):
    job = api.post("jobs", json=ingest).json()
    started = time.monotonic()
    assert api.get(f"jobs/{job['id']}", params={"wait": 1}).json()["state"] == "queued"
    assert 0.9 < time.monotonic() - started < 4


@pytest.mark.req("goal-2")
def test_prefer_wait_on_submit(api, ingest):
    answer = api.post("jobs", json=ingest, headers={"Prefer": "wait=1"})
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=1"


def events_of(api, job_id, **headers):
    found = []
    with api.stream(
        "GET", f"jobs/{job_id}/events", headers={"Accept": "text/event-stream", **headers}
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        from retort.stream import parse

        found.extend(parse(response.iter_lines()))
    return found


@pytest.mark.req("goal-6")
def test_the_stream_tells_all_states_and_ends_with_the_job(api, ingest, resources):
    job = api.post("jobs", json=ingest).json()
    thread = claim_later(resources, job["id"], then="succeed")
    events = events_of(api, job["id"])
    states = [e.data["data"]["state"] for e in events if e.type == "state"]
    assert states == ["queued", "running", "succeeded"]
    thread.join()
    resumed = events_of(api, job["id"], **{"Last-Event-ID": events[0].id})
    assert [e.data["data"]["state"] for e in resumed if e.type == "state"] == states[1:]
    as_list = api.get(f"jobs/{job['id']}/events").json()["items"]
    assert [entry["type"] for entry in as_list] == ["state"] * 3


def test_cancel_and_retry_and_rerun(api, ingest):
    job = api.post("jobs", json=ingest | {"labels": {"n": "1"}}).json()
    assert api.post(f"jobs/{job['id']}/cancel").json()["state"] == "cancelled"
    problem(api.post(f"jobs/{job['id']}/retry"), 409, "conflict")
    patch = {"params": {"duplicates": "keep_all"}}
    again = api.post(f"jobs/{job['id']}/rerun", json=patch).json()
    assert again["rerun_of"] == job["id"]
    assert again["params"]["duplicates"] == "keep_all"
    assert again["params"]["name"] == "mols"
    wrong = api.post(f"jobs/{job['id']}/rerun", json={"params": {"duplicates": "never"}})
    assert problem(wrong, 422, "invalid_request")["errors"][0]["pointer"] == "/params/duplicates"


def test_a_job_waits_for_the_dataset_that_it_needs(api, file_id):
    made = api.post("datasets", json={"file_id": file_id, "name": "mols"})
    assert made.status_code == 202
    dataset = made.json()
    assert (dataset["ref"], dataset["state"]) == ("mols:1", "ingesting")
    job = api.post("jobs", json={"kind": "train", "params": {"dataset": "mols"}}).json()
    assert job["state"] == "waiting"
    assert job["needs"] == [dataset["job_id"]]
    api.post(f"jobs/{dataset['job_id']}/cancel")
    assert api.get(f"jobs/{job['id']}").json()["error"]["code"] == "dependency_failed"
    assert api.get("datasets/mols").json()["state"] == "failed"
    problem(api.get("datasets/mols/report"), 409, "dataset_not_ready")


def test_other_projects_are_not_there(api, ingest, resources):
    job = api.post("jobs", json=ingest).json()
    with resources.database.session() as session:
        project = ProjectRow(name="other")
        session.add(project)
        session.flush()
        key = create_key(session, name="stranger", project_id=project.id)
    stranger = {"Authorization": f"Bearer {key.text}"}
    problem(api.get(f"jobs/{job['id']}", headers=stranger), 404, "not_found")
    problem(api.post(f"jobs/{job['id']}/cancel", headers=stranger), 404, "not_found")
    assert api.get("jobs", headers=stranger).json()["items"] == []
    problem(api.post("jobs", json=ingest, headers=stranger), 404, "not_found")


# ---- files


def test_files_are_stored_once_and_come_back(api, resources):
    body = b"smiles\nCCO\n" * 1000
    first = api.post("files", files={"file": ("a.csv", body)}).json()
    second = api.post("files", files={"file": ("../../etc/b.csv", body)}).json()
    assert second["sha256"] == first["sha256"]
    assert second["name"] == "b.csv"
    assert len(list(resources.storage.list("uploads/"))) == 1
    assert api.get(f"files/{first['id']}/content").content == body


def test_an_upload_makes_old_content_new_for_the_clean_up(api, resources):
    """Else the clean-up could remove, between look and row, what lay there unnamed for a day."""
    body = b"smiles,y\nCCO,1\n"
    key = keys.upload(hashlib.sha256(body).hexdigest())
    resources.storage.write(key, body)
    before = resources.storage.modified(key)
    assert api.post("files", files={"file": ("a.csv", body)}).status_code == 201
    assert resources.storage.modified(key) > before
    assert resources.storage.read(key) == body


def test_an_empty_file_is_refused_and_nothing_is_kept(api, resources):
    problem(api.post("files", files={"file": ("a.csv", b"")}), 422, "empty_file")
    assert list(resources.storage.list("")) == []
    assert api.get("files").json()["items"] == []


def test_bodies_are_limited_with_and_without_a_length(api, resources):
    limit = resources.settings.max_body_bytes
    huge = {"kind": "ingest", "params": {"name": "x" * (limit + 10)}}
    problem(api.post("jobs", json=huge), 413, "payload_too_large")

    def stream():
        for _ in range(limit // 65_536 + 2):
            yield b" " * 65_536

    problem(api.post("jobs", content=stream()), 413, "payload_too_large")


# ---- bad requests, each with a remedy


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/"),
        ({"kind": "dance", "params": {}}, "/"),
        ({"kind": "train", "params": {}}, "/params/dataset"),
        ({"kind": "train", "params": {"dataset": "d", "sead": 1}}, "/params/sead"),
        ({"kind": "train", "params": {"dataset": "d"}, "priority": 99}, "/priority"),
        ({"kind": "predict", "params": {"model": "m"}}, "/params"),
        ({"kind": "optimize", "params": {"dataset": "d", "n_trials": 0}}, "/params/n_trials"),
    ],
)
@pytest.mark.req("goal-5")
def test_a_wrong_body_names_its_fields(api, body, pointer):
    found = problem(api.post("jobs", json=body), 422, "invalid_request")
    assert pointer in [field["pointer"] for field in found["errors"]]


def train(**params):
    return {"kind": "train", "params": {"dataset": "mols", **params}}


@pytest.mark.parametrize(
    ("body", "code", "pointer", "remedy"),
    [
        (train(algorithm={"name": "lightgbn"}), "unknown_name", "/params/algorithm", "lightgbm"),
        (train(features=[{"name": "morgn_bits"}]), "unknown_name", "/params/features/0", "morgan"),
        (train(split={"name": "scafold"}), "unknown_name", "/params/split", "scaffold"),
        (
            train(algorithm={"name": "ridge", "params": {"alfa": 1}}),
            "invalid_parameters",
            "/params/algorithm/params/alfa",
            "alpha",
        ),
        (
            train(algorithm={"name": "ridge"}, task="binary"),
            "task_mismatch",
            "/params/algorithm",
            "regr",
        ),
        (train(dataset="molz"), "not_found", "/params/dataset", "mols"),
        (
            {"kind": "optimize", "params": {"dataset": "mols", "n_trials": 100_000}},
            "too_many_trials",
            "/params/n_trials",
            "MAX_TRIALS",
        ),
        (
            {"kind": "predict", "params": {"model": "nope", "dataset": "mols"}},
            "not_found",
            "/params/model",
            "train one",
        ),
    ],
)
def test_a_name_that_does_not_exist_is_answered_with_the_nearest(
    api, file_id, body, code, pointer, remedy
):
    api.post("datasets", json={"file_id": file_id, "name": "mols"})
    before = len(api.get("jobs").json()["items"])
    answer = api.post("jobs", json=body)
    found = problem(answer, 404 if code == "not_found" else 422, code)
    assert found["errors"][0]["pointer"] == pointer
    assert remedy in found["remedy"]
    assert len(api.get("jobs").json()["items"]) == before, "nothing half-written"


@pytest.mark.req("S2-13")
def test_predictions_without_a_model_with_too_many_inputs_and_without_a_worker(api):
    problem(api.post("predictions", json={"model": "x", "inputs": ["C"]}), 404, "not_found")
    problem(
        api.post("predictions", json={"model": "a b", "inputs": ["C"]}), 422, "invalid_reference"
    )
    many = api.post("predictions", json={"model": "x", "inputs": ["C"] * 101})
    assert "predict" in problem(many, 422, "too_many_inputs")["remedy"]


def test_unknown_routes_and_methods(api):
    problem(api.get("nothing"), 404, "unknown_route")
    problem(api.delete("jobs"), 405, "method_not_allowed")
    problem(api.post("jobs", content=b"{not json"), 415, "unsupported_media_type")
    problem(api.get(f"jobs/{new_id()}"), 404, "not_found")
    problem(api.get("jobs/not-an-id"), 422, "invalid_request")


def test_the_catalog_lists_every_plug_in_with_its_schema(api):
    for kind in ("algorithms", "featurizers", "recipes", "splitters", "metrics"):
        items = api.get(f"catalog/{kind}").json()["items"]
        assert items
        assert all(item["params"]["type"] == "object" and item["summary"] for item in items)
    assert api.get("catalog/algorithms/LGBMRegressor").json()["name"] == "lightgbm"
    problem(api.get("catalog/algorithms/nope"), 422, "unknown_name")


def test_queues_are_reported(api, ingest):
    api.post("jobs", json=ingest)
    items = {item["queue"]: item for item in api.get("admin/queues").json()["items"]}
    assert set(items) == {"cpu", "gpu", "predict", "predict_now", "control"}
    assert items["cpu"]["queued"] == 1
    assert items["cpu"]["workers"] == 0
