"""OSDR's own examples (S0) as its clients send them: a gateway, a worker, real stores."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import orjson
import pytest

from api.compat import following
from app.commands.stream import STREAM, take
from app.core.settings import get_settings
from app.db.base import DEFAULT_PROJECT_ID
from app.db.datasets import DatasetRow
from app.events.publisher import publish
from app.jobs.states import JobState
from app.jobs.store import get_job, list_jobs
from app.models.short_ids import short_id
from tests.support.gateway import calling
from tests.support.roles import bearer
from tests.support.served_models import MOLECULES
from tests.support.worker_here import WorkerHere

PREFIX = "/compat/osdr/api/v1"
SENT = {"user_id": "ada@lab", "correlation_id": "run-7"}
NO_WAIT = {"Prefer": "wait=0"}
CHEAP = {"features": [{"name": "physchem"}], "bootstrap": 0}


def sdf(molecules=MOLECULES):
    """The records of a file as OSDR's users have them, with a property."""
    from rdkit import Chem

    records = []
    for smiles in molecules:
        block = Chem.MolToMolBlock(Chem.MolFromSmiles(smiles))
        records.append(f"{block}> <y>\n{len(smiles) + 0.25 * smiles.count('O')}\n\n$$$$\n")
    return "".join(records)


@pytest.fixture
def api(resources):
    with calling(resources, base=f"{PREFIX}/") as client:
        yield client


@pytest.fixture
def worker(resources, monkeypatch):
    here = WorkerHere(resources)
    monkeypatch.setattr(here.celery, "send_task", here.answer)
    return here


@pytest.fixture
def at_work(worker):
    """A worker that takes what comes, while the test waits for answers."""
    over = threading.Event()

    def work():
        while not over.wait(0.05):
            worker.run_all()

    thread = threading.Thread(target=work)
    thread.start()
    yield worker
    over.set()
    thread.join()


@pytest.fixture
def blob(api):
    return sent(api, "solubility.sdf", sdf())


def sent(api, name, content):
    answer = api.post("http://retort/api/v1/files", files={"file": (name, content.encode())})
    return answer.json()["id"]


def dataset(api, worker, rows, name="mols", **options):
    """Ingested under that name."""
    body = {"file_id": sent(api, f"{name}.csv", rows), "name": name, **options}
    answer = api.post("http://retort/api/v1/datasets", json=body)
    assert answer.status_code == 202, answer.text
    worker.run_all()
    return name


def calculate(blob, id_="fv-1", **fields):
    return {"id": id_, "blob_id": blob, "bucket": "retort", **SENT, **fields}


def train(dataset, id_="tm-1", **fields):
    chosen = {"algorithm": "random_forest", "hyperparameters": {"n_estimators": 20}}
    return {"id": id_, "dataset_id": dataset, **chosen, **SENT, **fields}


def jobs(resources, kind):
    return list_jobs(resources.database, DEFAULT_PROJECT_ID, kind=kind, limit=50)


def failure(response, status, code):
    """OSDR's word and a problem document in one."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"]) == ("failed", code)
    assert body["remedy"]
    return body


# ---- the examples


@pytest.mark.req("S0-14", "S0-17", "S0-01", "S0-04")
def test_calculate_feature_vectors(api, resources, worker, blob):
    answer = api.post("calculate-feature-vectors", json=calculate(blob))
    assert answer.status_code == 202, answer.text
    (ingest,), (featurize,) = jobs(resources, "ingest"), jobs(resources, "featurize")
    assert answer.json() == {
        "status": "accepted",
        "id": "fv-1",
        "job_id": str(featurize.id),
        "dataset_id": ingest.params["dataset_id"],
    }
    location = f"http://retort{answer.headers['location']}"
    assert location.endswith(f"{PREFIX}/jobs/{featurize.id}")
    assert answer.headers["retry-after"] == "1"
    assert list(featurize.needs) == [ingest.id]
    for job in (ingest, featurize):
        assert (job.client_ref, job.correlation_id, job.created_by) == ("fv-1", "run-7", "key:test")
        assert job.labels == {"compat": "osdr", "user_id": "ada@lab"}
    assert api.get(location, headers=NO_WAIT).json() == answer.json()

    worker.run_all()
    ended = api.get(location)
    assert ended.status_code == 200, ended.text
    stored = get_job(resources.database, DEFAULT_PROJECT_ID, featurize.id).result
    assert ended.json() == {
        "status": "completed",
        "id": "fv-1",
        "job_id": str(featurize.id),
        "dataset_id": ingest.params["dataset_id"],
        "structures": len(MOLECULES),
        "columns": stored["width"],
        "failed": 0,
    }
    assert stored["width"] > 2_000
    assert resources.storage.exists(stored["manifest_key"])
    publish(resources.database, resources.redis)
    events = api.get("http://retort/api/v1/events", params={"type": "FeatureVectorsCalculated"})
    (event,) = events.json()["items"]
    assert (event["data"]["id"], event["data"]["correlation_id"]) == ("fv-1", "run-7")


@pytest.mark.req("S0-15", "S0-16", "S0-26", "C-03")
def test_train_model_then_predict_properties(api, resources, at_work, blob, monkeypatch):
    """Both are answered by their end: the routes wait, here as long as a busy machine needs."""
    monkeypatch.setattr(following, "WAIT_SECONDS", 240.0)
    made = api.post(
        "calculate-feature-vectors", json=calculate(blob), headers={"Prefer": "wait=60"}
    )
    assert (made.status_code, made.json()["status"]) == (200, "completed")
    assert made.headers["preference-applied"] == "wait=60"
    body = train(made.json()["dataset_id"], params={"targets": ["y"], **CHEAP})
    trained = api.post("train-model", json=body)
    assert trained.status_code == 200, trained.text
    (job,) = jobs(resources, "train")
    model = short_id("model", UUID(job.result["model_id"]))
    assert trained.json() == {"status": "completed", "model_id": model, "job_id": str(job.id)}
    assert job.params["algorithm"] == {"name": "random_forest", "params": {"n_estimators": 20}}

    body = {"id": "pp-1", "model_id": model, "dataset_id": made.json()["dataset_id"], **SENT}
    predicted = api.post("predict-properties", json=body)
    assert predicted.status_code == 200, predicted.text
    found = predicted.json()
    assert set(found) == {"status", "predictions", "rows_total", "predictions_url", "job_id"}
    assert (found["status"], found["rows_total"]) == ("completed", len(MOLECULES))
    rows = found["predictions"]
    assert [row["row"] for row in rows] == list(range(1, len(MOLECULES) + 1))
    true = [len(smiles) + 0.25 * smiles.count("O") for smiles in MOLECULES]
    wrong = [abs(row["y"] - y) for row, y in zip(rows, true, strict=True)]
    assert sum(wrong) / len(wrong) < 1.0, "the forest has seen most of these"
    page = api.get(f"http://retort{found['predictions_url']}", params={"limit": 1_000}).json()
    assert page["items"] == rows


@pytest.mark.req("S0-16")
def test_more_than_1000_rows_are_linked(api, resources, worker):
    rows = "smiles,y\n" + "".join(f"{s},{len(s)}\n" for s in MOLECULES)
    mols = dataset(api, worker, rows)
    asked = train(mols, algorithm="ridge", hyperparameters={}, params=CHEAP)
    api.post("train-model", json=asked, headers=NO_WAIT)
    worker.run_all()
    model = api.post("train-model", json=asked).json()["model_id"]
    for n, inline in ((1_000, True), (1_001, False)):
        file = sent(api, "many.csv", "smiles\n" + "CCO\n" * n)
        body = {"id": f"pp-{n}", "model_id": model, "file_id": file, **SENT}
        api.post("predict-properties", json=body, headers=NO_WAIT)
        worker.run_all()
        found = api.post("predict-properties", json=body).json()
        assert (found["status"], found["rows_total"]) == ("completed", n)
        if inline:
            assert len(found["predictions"]) == n
        else:
            assert found["predictions"] is None
        page = api.get(f"http://retort{found['predictions_url']}", params={"start": n}).json()
        assert [row["row"] for row in page["items"]] == [n]


# ---- ids


@pytest.mark.req("S0-17")
def test_the_same_command_again_is_the_same_job_and_asks_how_it_stands(
    api, resources, worker, blob
):
    first = api.post("calculate-feature-vectors", json=calculate(blob))
    again = api.post("calculate-feature-vectors", json=calculate(blob))
    assert (again.status_code, again.json()) == (202, first.json())
    assert again.headers["idempotency-replayed"] == "true"
    worker.run_all()
    again = api.post("calculate-feature-vectors", json=calculate(blob))
    assert (again.status_code, again.json()["status"]) == (200, "completed")
    assert len(jobs(resources, "featurize")) == len(jobs(resources, "ingest")) == 1


def test_equal_commands_at_once_are_one_job(api, resources, blob):
    def post(_):
        return api.post("calculate-feature-vectors", json=calculate(blob))

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(post, range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert len(jobs(resources, "featurize")) == len(jobs(resources, "ingest")) == 1


def test_another_body_with_the_same_id_is_refused_and_others_have_ids_of_their_own(
    api, resources, worker
):
    mols = dataset(api, worker, "smiles,y\nCCO,1\nCCC,2\nCCN,3\n")
    first = api.post("train-model", json=train(mols), headers=NO_WAIT)
    assert first.status_code == 202, first.text
    other = train(mols, hyperparameters={"n_estimators": 30})
    failure(api.post("train-model", json=other), 422, "idempotency_key_reused")
    # an id of another command, another caller's id
    body = {"id": "tm-1", "dataset_id": mols, **SENT}
    assert api.post("calculate-feature-vectors", json=body).status_code == 202
    stranger = bearer(resources, "scientist") | NO_WAIT
    second = api.post("train-model", json=other, headers=stranger)
    assert second.json()["job_id"] != first.json()["job_id"]
    assert {job.created_by for job in jobs(resources, "train")} == {
        "key:test",
        "key:some-scientist",
    }


def test_a_failed_ingest_is_answered_and_the_same_id_stays_the_same_job(api, resources, worker):
    """Though by now the file would be read anew."""
    junk = sent(api, "junk.sdf", "no molecule\n$$$$\n" * 20)
    first = api.post("calculate-feature-vectors", json=calculate(junk))
    worker.run_all()
    location = f"http://retort{first.headers['location']}"
    body = failure(api.get(location), 422, jobs(resources, "ingest")[0].error["code"])
    again = api.post("calculate-feature-vectors", json=calculate(junk))
    assert again.json()["detail"] == body["detail"]
    assert len(jobs(resources, "ingest")) == 1
    assert api.post("calculate-feature-vectors", json=calculate(junk, "fv-2")).status_code == 202
    assert len(jobs(resources, "ingest")) == 2


def test_a_file_that_is_a_data_set_already_is_not_read_again(api, resources, worker):
    rows = "smiles,y\nCCO,1\nCCC,2\nCCN,3\n"
    dataset(api, worker, rows, name="measured", roles={"y": "target"})
    copy = sent(api, "another-name.csv", rows)
    answer = api.post("calculate-feature-vectors", json=calculate(copy))
    with resources.database.session() as session:
        (row,) = session.query(DatasetRow).all()
    assert answer.json()["dataset_id"] == str(row.id)
    assert len(jobs(resources, "ingest")) == 1


# ---- what algorithms are called


@pytest.mark.req("U-13")
def test_linear_regression_is_what_the_target_asks_for(api, resources, worker):
    numbers = dataset(api, worker, "smiles,y\n" + "".join(f"{s},{len(s)}\n" for s in MOLECULES))
    words = dataset(
        api,
        worker,
        "smiles,label\n" + "".join(f"{s},{'yes' if 'O' in s else 'no'}\n" for s in MOLECULES),
        name="words",
    )
    for ref, ours in ((numbers, "linear_regression"), (words, "logistic_regression")):
        body = train(ref, ref, algorithm="LinearRegression", hyperparameters={}, params=CHEAP)
        assert api.post("train-model", json=body, headers=NO_WAIT).status_code == 202
        (job,) = [job for job in jobs(resources, "train") if job.client_ref == ref]
        assert job.params["algorithm"]["name"] == ours
    worker.run_all()
    assert {job.state for job in jobs(resources, "train")} == {JobState.SUCCEEDED}


@pytest.mark.parametrize(
    ("change", "code", "pointer", "near"),
    [
        ({"algorithm": "randomforst"}, "unknown_name", "/algorithm", "random_forest"),
        ({"hyperparameters": {"trees": 5}}, None, "/hyperparameters/trees", ""),
        ({"dataset_id": "nothing"}, "not_found", "/dataset_id", ""),
        ({"params": {"bootstrap": "many"}}, "invalid_request", "/params/bootstrap", ""),
        ({"user_id": ""}, "invalid_request", "/user_id", ""),
        ({"dataset": "mols"}, "invalid_request", "/dataset", "dataset_id"),
    ],
)
def test_what_is_wrong_is_named_by_the_field_of_the_command(
    api, resources, worker, change, code, pointer, near
):
    mols = dataset(api, worker, "smiles,y\nCCO,1\nCCC,2\nCCN,3\n")
    answer = api.post("train-model", json=train(mols) | change)
    body = failure(answer, answer.status_code, code or answer.json()["code"])
    assert answer.status_code in (404, 422)
    assert [error["pointer"] for error in body["errors"]] == [pointer]
    assert near in body["remedy"]
    assert jobs(resources, "train") == []


# ---- blobs


@pytest.fixture
def imports(tmp_path, monkeypatch, retort_environment):
    """An import folder called `osdr-blobs` and, beside it, what nobody may read."""
    for name in ("osdr-blobs", "outside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "set.sdf").write_text(sdf(MOLECULES[:5]))
    monkeypatch.setenv("RETORT_IMPORT_ROOTS", str(tmp_path / "osdr-blobs"))
    get_settings.cache_clear()
    return tmp_path


@pytest.mark.req("C-20", "S0-18")
def test_a_bucket_may_be_an_import_folder_and_nothing_else(imports, api, resources):
    taken = api.post("calculate-feature-vectors", json=calculate("set.sdf", bucket="osdr-blobs"))
    assert taken.status_code == 202, taken.text
    (ingest,) = jobs(resources, "ingest")
    assert ingest.params["name"] == "set"
    refused = {
        ("set.sdf", "outside"): (422, "bucket_not_allowed", "/bucket"),
        ("set.sdf", "https://blobs.example"): (422, "bucket_not_allowed", "/bucket"),
        ("set.sdf", ".."): (422, "bucket_not_allowed", "/bucket"),
        ("../outside/set.sdf", "osdr-blobs"): (422, "path_not_allowed", "/blob_id"),
        (f"{imports}/outside/set.sdf", "osdr-blobs"): (422, "path_not_allowed", "/blob_id"),
        ("missing.sdf", "osdr-blobs"): (404, "not_found", "/blob_id"),
        ("http://blobs.example/set.sdf", "osdr-blobs"): (404, "not_found", "/blob_id"),
        ("http://blobs.example/set.sdf", "retort"): (422, "invalid_input", "/blob_id"),
        (str(uuid4()), "retort"): (404, "not_found", "/blob_id"),
    }
    for n, ((blob, bucket), (status, code, pointer)) in enumerate(refused.items()):
        body = calculate(blob, f"no-{n}", bucket=bucket)
        said = failure(api.post("calculate-feature-vectors", json=body), status, code)
        assert [error["pointer"] for error in said["errors"]] == [pointer], (blob, bucket)
        if code == "bucket_not_allowed":
            assert "'retort'" in said["remedy"]
            assert "'osdr-blobs'" in said["remedy"]
    assert len(jobs(resources, "ingest")) == len(jobs(resources, "featurize")) == 1


def test_a_file_of_another_project_is_no_blob(api, resources):
    from app.db.files import FileRow
    from app.db.projects import ProjectRow

    with resources.database.session() as session:
        project = ProjectRow(name="others")
        session.add(project)
        session.flush()
        file = FileRow(
            project_id=project.id, name="f", media_type="", size=1, sha256="0" * 64, storage_key="k"
        )
        session.add(file)
        session.flush()
        theirs = str(file.id)
    body = calculate(theirs)
    failure(api.post("calculate-feature-vectors", json=body), 404, "not_found")


@pytest.mark.req("S0-02", "S0-04")
def test_a_message_may_name_a_blob_too(api, resources, worker, blob):
    body = {"type": "CalculateFeatureVectors", **calculate(blob)}
    published = []
    for _ in range(2):
        resources.redis.xadd(STREAM, {"command": orjson.dumps(body)})
    assert take(resources, "one", published.append) == 2
    (ingest,), (featurize,) = jobs(resources, "ingest"), jobs(resources, "featurize")
    assert [job.id for job in published] == [ingest.id], "what waits is published later"
    assert featurize.created_by == ingest.created_by == "command:ada@lab"
    worker.run_all()
    ended = get_job(resources.database, DEFAULT_PROJECT_ID, featurize.id)
    assert ended.state is JobState.SUCCEEDED


# ---- waiting, and who may


@pytest.mark.req("C-03")
def test_what_lasts_longer_is_accepted_and_answered_at_its_address(api, resources, worker):
    mols = dataset(api, worker, "smiles,y\n" + "".join(f"{s},{len(s)}\n" for s in MOLECULES))
    for n, prefer in enumerate(("wait=0", "respond-async")):
        body = train(mols, f"tm-{n}", algorithm="ridge", hyperparameters={}, params=CHEAP)
        answer = api.post("train-model", json=body, headers={"Prefer": prefer})
        assert answer.status_code == 202
        job_id = answer.headers["location"].removeprefix(f"{PREFIX}/jobs/")
        assert answer.json() == {"status": "accepted", "id": f"tm-{n}", "job_id": job_id}
    worker.run_all()
    ended = api.get(f"http://retort{answer.headers['location']}")
    assert (ended.status_code, ended.json()["status"]) == (200, "completed")


def test_a_cancelled_job_has_failed_and_jobs_of_other_doors_are_not_shown(api, resources, worker):
    mols = dataset(api, worker, "smiles,y\nCCO,1\nCCC,2\nCCN,3\n")
    job = api.post("train-model", json=train(mols), headers=NO_WAIT).json()["job_id"]
    api.post(f"http://retort/api/v1/jobs/{job}/cancel")
    failure(api.get(f"jobs/{job}"), 500, "cancelled_by_user")
    body = {"kind": "train", "params": {"dataset": mols}}
    other = api.post("http://retort/api/v1/jobs", json=body).json()["id"]
    failure(api.get(f"jobs/{other}"), 404, "not_found")
    failure(api.get("jobs/no-id"), 422, "invalid_request")
    (ingest,) = jobs(resources, "ingest")
    failure(api.get(f"jobs/{ingest.id}"), 404, "not_found")


@pytest.mark.req("C-21")
def test_the_key_decides_and_not_the_user_that_the_body_names(api, resources, worker, blob):
    viewer = bearer(resources, "viewer")
    body = calculate(blob, user_id="admin")
    failure(api.post("calculate-feature-vectors", json=body, headers=viewer), 403, "forbidden")
    failure(api.post("train-model", json={}, headers={"Authorization": ""}), 401, "unauthorized")
    accepted = api.post("calculate-feature-vectors", json=body)
    location = f"http://retort{accepted.headers['location']}"
    assert api.get(location, headers=viewer | NO_WAIT).status_code == 202
    (job,) = jobs(resources, "featurize")
    assert (job.created_by, job.labels["user_id"]) == ("key:test", "admin")


def test_the_document_says_that_status_is_a_word(api):
    document = api.gateway.openapi()
    operation = document["paths"][f"{PREFIX}/train-model"]["post"]
    assert set(operation["responses"]) >= {"200", "202", "401", "403", "409", "422", "429", "503"}
    for status, response in operation["responses"].items():
        media = list(response["content"])
        assert media == ["application/json" if status < "300" else "application/problem+json"]
    refusal = operation["responses"]["422"]["content"]["application/problem+json"]["schema"]
    schema = document["components"]["schemas"][refusal["$ref"].rsplit("/", 1)[1]]
    assert schema["properties"]["status"]["const"] == "failed"
