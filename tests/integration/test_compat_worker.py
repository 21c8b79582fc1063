"""The ML worker's routes without workers: what is accepted, refused, reused, and in which words."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest

from api.compat import following
from api.compat.worker_answers import answer_of
from app.core.errors import InvalidInput
from app.core.settings import Settings, get_settings
from app.db.base import DEFAULT_PROJECT_ID
from app.db.datasets import DatasetRow
from app.db.evaluations import EvaluationRow
from app.db.files import FileRow
from app.db.models import ModelVersionRow
from app.jobs.claim import Owner, claim_job
from app.jobs.finish import end_badly
from app.jobs.store import get_job, list_jobs
from app.models.short_ids import find_by_short_id, short_id
from tests.support.gateway import calling

OWNER = Owner(worker="test", pid=1)
CHURN = "gender,tenure,Churn\nFemale,1,No\nMale,34,No\nMale,2,Yes\n"
REQUEST = {
    "dataset_path": "churn.csv",
    "target_column": "Churn",
    "algorithm": "RandomForestClassifier",
}


@pytest.fixture
def imports(tmp_path, monkeypatch, retort_environment):
    """Two import roots and, beside them, what nobody may read."""
    for name in ("one", "two", "outside"):
        (tmp_path / name).mkdir()
    (tmp_path / "one" / "churn.csv").write_text(CHURN)
    (tmp_path / "outside" / "secret.csv").write_text(CHURN)
    roots = f"{tmp_path / 'one'}:{tmp_path / 'two'}"
    monkeypatch.setenv("RETORT_IMPORT_ROOTS", roots)
    get_settings.cache_clear()
    return tmp_path


@pytest.fixture
def api(imports, resources, monkeypatch):
    monkeypatch.setattr(following, "WAIT_SECONDS", 0.0)
    with calling(resources, base="/compat/worker/") as client:
        yield client


def failure(response, status, code):
    """S4's failure and a problem document in one."""
    assert response.status_code == status, response.text
    body = response.json()
    assert body["success"] is False
    assert body["detail"] in body["message"]
    assert body["remedy"] in body["message"]
    assert (body["code"], body["type"]) == (code, f"/problems/{code}")
    assert response.headers["content-type"] == "application/problem+json"
    return body


def jobs_of(resources, kind):
    return list_jobs(resources.database, DEFAULT_PROJECT_ID, kind=kind, limit=200)


# ---- accepted


@pytest.mark.req("S4-01", "F-01", "C-20")
def test_a_path_becomes_a_file_an_ingest_and_a_training_that_needs_it(api, resources):
    answer = api.post("train", json=REQUEST | {"hyperparams": {"n_estimators": 50}})
    assert answer.status_code == 202, answer.text
    body = answer.json()
    assert (body["success"], body["status"]) == (None, "pending")
    assert answer.headers["location"] == f"/compat/worker/jobs/{body['job_id']}"
    (ingest,) = jobs_of(resources, "ingest")
    (train,) = jobs_of(resources, "train")
    assert str(train.id) == body["job_id"]
    assert list(train.needs) == [ingest.id]
    assert ingest.params["roles"] == {"Churn": "target"}
    assert train.params["targets"] == ["Churn"]
    assert train.params["algorithm"] == {"name": "random_forest", "params": {"n_estimators": 50}}
    assert train.params["split"] == {
        "name": "random",
        "params": {"train": 0.8, "validation": 0.0, "test": 0.2},
        "seed": 42,
    }
    assert train.params["seed"] == 42
    with resources.database.session() as session:
        file = session.get(FileRow, UUID(ingest.params["file_id"]))
    assert resources.storage.read(file.storage_key) == CHURN.encode()
    assert api.get(f"http://retort{answer.headers['location']}").status_code == 202


@pytest.mark.req("S4-02")
def test_optimize_takes_the_documented_space_and_leaves_the_test_rows_alone(api, resources):
    assert api.post("optimize", json=REQUEST | {"n_trials": 7}).status_code == 202
    assert api.post("train", json=REQUEST).status_code == 202
    (job,), (train,) = jobs_of(resources, "optimize"), jobs_of(resources, "train")
    assert (job.params["n_trials"], job.params["space"], job.params["then"]) == (7, "seed", "none")
    assert (job.params["metric"], job.params["algorithm"]) == ("accuracy", "random_forest")
    assert job.params["split"] == train.params["split"]
    assert api.post("optimize", json=REQUEST).status_code == 202
    assert jobs_of(resources, "optimize")[0].params["n_trials"] == 100


@pytest.mark.parametrize(
    ("prefer", "applied"), [("respond-async", None), ("wait=0", "wait=0"), ("wait=0.5", "wait=0.5")]
)
def test_the_caller_says_how_long_to_wait(api, monkeypatch, prefer, applied):
    monkeypatch.setattr(following, "WAIT_SECONDS", 300.0)  # longer than a test may take
    started = time.monotonic()
    answer = api.post("train", json=REQUEST, headers={"Prefer": prefer})
    again = api.get(f"jobs/{answer.json()['job_id']}", headers={"Prefer": prefer})
    assert time.monotonic() - started < 100
    for said in (answer, again):
        assert said.status_code == 202
        assert said.headers.get("Preference-Applied") == applied


@pytest.mark.req("S4-13")
def test_max_trials_caps_a_search(api):
    wrong = failure(api.post("optimize", json=REQUEST | {"n_trials": 101}), 422, "too_many_trials")
    assert wrong["errors"][0]["pointer"] == "/n_trials"


@pytest.mark.parametrize(
    ("algorithm", "task", "metric"),
    [
        ("GradientBoostingRegressor", "regression", "r2"),
        ("LinearRegression", "regression", "r2"),
        ("SVC", "multiclass", "accuracy"),
        ("LogisticRegression", "multiclass", "accuracy"),
        ("random_forest", "auto", None),
    ],
)
def test_the_name_of_the_class_says_what_is_learned(api, resources, algorithm, task, metric):
    assert api.post("optimize", json=REQUEST | {"algorithm": algorithm}).status_code == 202
    (job,) = jobs_of(resources, "optimize")
    assert (job.params["task"], job.params["metric"]) == (task, metric)


@pytest.mark.req("S4-01")
def test_equal_content_is_ingested_once_also_by_many_at_once(api, resources, imports):
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: api.post("train", json=REQUEST), range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert len(jobs_of(resources, "train")) == 6
    assert len(jobs_of(resources, "ingest")) == 1
    # another target of the same file is another data set; changed content is its next version
    api.post("train", json=REQUEST | {"target_column": "tenure"})
    assert len(jobs_of(resources, "ingest")) == 2
    (imports / "one" / "churn.csv").write_text(CHURN + "Female,9,Yes\n")
    api.post("train", json=REQUEST)
    assert len(jobs_of(resources, "ingest")) == 3
    with resources.database.session() as session:
        rows = session.query(DatasetRow).order_by(DatasetRow.number).all()
    assert [(row.name, row.number) for row in rows] == [("churn", n) for n in (1, 2, 3)]


def test_the_same_idempotency_key_is_the_same_job(api, resources):
    headers = {"Idempotency-Key": "once-and-only"}
    first, second = (api.post("train", json=REQUEST, headers=headers).json() for _ in range(2))
    assert first["job_id"] == second["job_id"]
    assert len(jobs_of(resources, "train")) == 1


# ---- refused


@pytest.mark.req("C-20")
@pytest.mark.parametrize(
    "path",
    [
        "../outside/secret.csv",
        "one/../../outside/secret.csv",
        "/etc/passwd",
        "{tmp}/outside/secret.csv",
        "{tmp}/one/../outside/secret.csv",
        "{tmp}/one",
        "link.csv",
        "folder-link/secret.csv",
        "/proc/self/environ",
        "http://example.org/a.csv",
        "file:///etc/passwd",
        "churn.csv\0.png",
        "~/secret.csv",
        ".",
        "sub",
        "pipe.csv",
        "missing.csv",
        "two/missing.csv",
    ],
)
def test_nothing_outside_of_the_import_folders_is_read(api, resources, imports, path):
    one = imports / "one"
    (one / "link.csv").symlink_to(imports / "outside" / "secret.csv")
    (one / "folder-link").symlink_to(imports / "outside")
    (one / "sub").mkdir()
    os.mkfifo(one / "pipe.csv")
    answer = api.post("train", json=REQUEST | {"dataset_path": path.replace("{tmp}", str(imports))})
    relative = not path.startswith(("/", "{tmp}", ".", "link", "folder", "sub", "pipe"))
    if "\0" in path:
        assert answer.status_code in (400, 422)
    elif relative and ".." not in path:
        failure(answer, 404, "not_found")
    else:
        wrong = failure(answer, 422, "path_not_allowed")
        assert wrong["errors"][0]["pointer"] == "/dataset_path"
    if not path.startswith("{tmp}"):
        assert str(imports) not in answer.text, "our folders are nobody's business"
    assert jobs_of(resources, "ingest") == []


@pytest.mark.parametrize("path", ["churn.csv", "{tmp}/one/churn.csv", "alias.csv", "./churn.csv"])
def test_links_and_absolute_paths_inside_are_followed(api, resources, imports, path):
    (imports / "one" / "alias.csv").symlink_to(imports / "one" / "churn.csv")
    path = path.replace("{tmp}", str(imports))
    assert api.post("train", json=REQUEST | {"dataset_path": path}).status_code == 202


def test_without_import_roots_no_path_is_read(retort_environment, resources):
    from app.files.importing import import_file

    with pytest.raises(InvalidInput, match="not below an import folder"):
        import_file(resources, DEFAULT_PROJECT_ID, str(Path(__file__)), by="t")


@pytest.mark.req("S4-01")
@pytest.mark.parametrize(
    ("change", "pointer", "near"),
    [
        ({"hyperparams": {"n_estimator": 10}}, "/hyperparams/n_estimator", "n_estimators"),
        ({"hyperparams": {"n_estimators": 0}}, "/hyperparams/n_estimators", ""),
        ({"algorithm": "RandomForestClasifier"}, "/algorithm", "random_forest"),
        ({"test_size": 1.5}, "/test_size", ""),
        ({"random_stat": 1}, "/random_stat", "random_state"),
        ({"dataset_path": ""}, "/dataset_path", ""),
    ],
)
def test_what_is_misspelt_is_named_with_the_nearest(api, resources, change, pointer, near):
    answer = api.post("train", json=REQUEST | change)
    assert answer.status_code == 422
    body = answer.json()
    assert body["success"] is False
    assert body["errors"][0]["pointer"] == pointer
    assert near in body["message"]
    assert jobs_of(resources, "train") == []


def test_a_failed_ingest_is_why_the_training_failed(api, resources):
    location = "http://retort" + api.post("train", json=REQUEST).headers["location"]
    (ingest,) = jobs_of(resources, "ingest")
    claimed = claim_job(resources.database, ingest.id, OWNER, lease_seconds=60)
    end_badly(resources.database, claimed, InvalidInput("no such column", code="one_class"))
    body = failure(api.get(location), 422, "one_class")
    assert body["detail"] == "no such column"
    # and the file is not taken for ingested: the next request tries anew
    api.post("train", json=REQUEST)
    assert len(jobs_of(resources, "ingest")) == 2


def test_a_cancelled_job_and_jobs_of_others(api, resources):
    job = api.post("train", json=REQUEST).json()["job_id"]
    api.post(f"http://retort/api/v1/jobs/{job}/cancel")
    assert api.get(f"jobs/{job}").json()["code"] == "cancelled_by_user"
    (ingest,) = jobs_of(resources, "ingest")
    failure(api.get(f"jobs/{ingest.id}"), 404, "not_found")
    assert api.get("jobs/no-id").status_code == 422


# ---- evaluate, and ids


@pytest.fixture
def model(resources):
    """Two versions whose ids end alike in six digits."""
    return add_model(resources, "abc123", 1), add_model(resources, "abc123", 2)


def add_model(resources, tail, number):
    from app.core.ids import new_id

    with resources.database.session() as session:
        file = FileRow(name="f", media_type="", size=1, sha256="0" * 64, storage_key="k")
        session.add(file)
        session.flush()
        dataset = DatasetRow(name=f"d{number}", number=1, file_id=file.id)
        session.add(dataset)
        session.flush()
        row = ModelVersionRow(
            id=UUID(new_id().hex[:-6] + tail),
            name="m",
            number=number,
            task="binary",
            algorithm="svm",
            hyperparameters={},
            training_config={},
            targets=[{"name": "y", "classes": ["No", "Yes"]}],
            metrics={},
            dataset_id=dataset.id,
            feature_set_hash="",
            device="cpu",
            manifest_key="k",
            sha256="",
        )
        session.add(row)
        session.flush()
        session.expunge(row)
    return row


@pytest.mark.req("S4-21")
def test_short_ids_are_taken_and_ambiguous_ones_refused(api, resources, model):
    first, _ = model

    def find(text):
        with resources.database.session() as session:
            found = find_by_short_id(session, ModelVersionRow, DEFAULT_PROJECT_ID, "model", text)
            return found.id

    shown = short_id("model", first.id)
    assert shown.startswith("model-")
    assert len(shown) == 18
    for text in (shown, shown.removeprefix("model-"), str(first.id), shown.upper()):
        assert find(text.replace("MODEL", "model")) == first.id
    failure(api.get("model/model-abc123/evaluate"), 409, "ambiguous_id")
    failure(api.get("model/model-ffffff012345/evaluate"), 404, "not_found")
    for wrong in ("model-abc", "study-abc123", "nonsense", "model-'--", "model-" + "a" * 33):
        assert api.get(f"model/{wrong}/evaluate").status_code == 422, wrong


@pytest.mark.req("S4-03")
def test_evaluate_answers_the_newest_figures_and_starts_one_job_when_there_are_none(
    api, resources, model
):
    row, _ = model
    address = f"model/{short_id('model', row.id)}/evaluate"
    first, second = api.get(address), api.get(address)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["job_id"] == second.json()["job_id"]
    (job,) = jobs_of(resources, "evaluate")
    assert (job.params["part"], job.params["model_id"]) == ("test", str(row.id))
    for f1, part in ((0.5, "test"), (0.9, "all")):
        line = {"precision": 0.7, "recall": 0.6, "f1-score": f1, "support": 5}
        report = {"No": line, "Yes": line, "accuracy": 0.8, "weighted avg": line}
        with resources.database.session() as session:
            session.add(
                EvaluationRow(
                    model_id=row.id,
                    dataset_id=row.dataset_id,
                    part=part,
                    metrics={"y": {"roc_auc": {"value": 0.9}}},
                    details={
                        "targets": {
                            "y": {
                                "confusion_matrix": {"labels": ["No", "Yes"], "counts": [[3, 0]]},
                                "classification_report": report,
                            }
                        },
                        "feature_importance": {"targets": {"y": [["tenure", 0.75]]}},
                    },
                )
            )
    answer = api.get(address)
    assert answer.status_code == 200
    assert answer.json() == {
        "metrics": {"accuracy": 0.8, "precision": 0.7, "recall": 0.6, "f1": 0.5},
        "confusion_matrix": [[3, 0]],
        "classification_report": {"No": line | {"f1-score": 0.5}, "Yes": line | {"f1-score": 0.5}}
        | {"accuracy": 0.8, "weighted avg": line | {"f1-score": 0.5}},
        "feature_importance": {"tenure": 0.75},
    }
    end_badly(resources.database, claim(resources, job), InvalidInput("x", code="one_class"))


def claim(resources, job):
    return claim_job(resources.database, job.id, OWNER, lease_seconds=60)


def test_a_failed_evaluation_is_tried_again_when_asked_again(api, resources, model):
    address = f"model/{model[0].id}/evaluate"
    job = api.get(address).json()["job_id"]
    end_badly(
        resources.database,
        claim(resources, get_job(resources.database, DEFAULT_PROJECT_ID, UUID(job))),
        InvalidInput("x", code="one_class"),
    )
    failure(api.get(f"jobs/{job}"), 422, "one_class")
    again = api.get(address)
    assert again.status_code == 202
    assert again.json()["job_id"] != job


def test_numbers_are_answered_by_the_names_of_the_seed():
    from types import SimpleNamespace

    from app.jobs.states import JobState

    job = SimpleNamespace(
        kind="evaluate",
        state=JobState.SUCCEEDED,
        error=None,
        result={
            "metrics": {"y": {n: {"value": 1.0} for n in ("mse", "rmse", "mae", "r2", "spearman")}},
            "targets": {"y": {"residuals": {}}},
            "feature_importance": {"targets": {}},
        },
    )
    assert answer_of(job) == {
        "metrics": {"mse": 1.0, "rmse": 1.0, "mae": 1.0, "r2": 1.0},
        "confusion_matrix": None,
        "classification_report": None,
        "feature_importance": {},
    }


# ---- open, and switched off


@pytest.mark.req("S4-04", "S4-05", "S4-06")
def test_algorithms_and_health(api):
    health = api.get("health", headers={"Authorization": ""})
    assert (health.status_code, health.json()["status"]) == (200, "healthy")
    found = {entry["name"]: entry for entry in api.get("algorithms").json()["algorithms"]}
    assert "GradientBoostingClassifier" in found["gradient_boosting"]["aliases"]
    assert found["xgboost"]["available"] is True
    assert "max_features" in found["random_forest"]["hyperparams"]
    assert api.get("algorithms", headers={"Authorization": ""}).json()["success"] is False


@pytest.mark.req("S4-13")
def test_the_routes_can_be_switched_off(monkeypatch, resources):
    from api.main import create_api

    monkeypatch.setenv("COMPAT_ROUTES", "off")
    get_settings.cache_clear()
    off = Settings()
    assert off.compat_routes is False

    class Without:
        settings = off
        database = resources.database

    paths = create_api(Without()).openapi()["paths"]
    assert not [path for path in paths if path.startswith("/compat")]
    assert "/api/v1/jobs" in paths


@pytest.mark.req("S4-13")
def test_the_settings_of_the_ml_worker_are_taken(monkeypatch, tmp_path, retort_environment):
    monkeypatch.delenv("RETORT_STORAGE_ROOT")
    for name, value in {
        "HOST": "127.0.0.2",
        "PORT": "8002",
        "LOG_LEVEL": "DEBUG",
        "OPTUNA_STORAGE": f"sqlite:///{tmp_path}/optuna.db",
        "MAX_TRIALS": "12",
        "MODELS_DIR": str(tmp_path / "models"),
    }.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    settings = Settings()
    assert (settings.host, settings.port, settings.log_level) == ("127.0.0.2", 8002, "DEBUG")
    assert (settings.max_trials, settings.storage_root) == (12, tmp_path / "models")

    from app.tuning.study import create_study, load_study

    create_study(None, "elsewhere", "maximize").optimize(lambda _: 1.0, n_trials=2)
    assert len(load_study(None, "elsewhere").trials) == 2
    assert (tmp_path / "optuna.db").exists()
