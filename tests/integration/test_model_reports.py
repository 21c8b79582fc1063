"""The reports of a trained model: stored beside its weights, served, made anew for an older one."""

import numpy as np
import orjson
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import Ridge

from app.core.work import SilentContext
from app.db.models import ModelVersionRow
from app.features.compute import featurize_smiles
from app.models.bundle import ModelBundle
from app.reporting import reproduce
from app.reporting.service import report_now
from app.reporting.stored import StoredModel
from app.training import service as training
from app.training.params import TrainParams
from tasks.interactive import QUESTIONS
from tests.support.datasets import PROJECT, ingested, job_context
from tests.support.molecules import DATA

FAST = {"features": ({"name": "morgan_counts"},), "algorithm": {"name": "ridge"}, "bootstrap": 20}
NAMES = ("report.html", "card.md", "qmrf.md")


@pytest.fixture
def dataset_id(resources):
    return ingested(resources, DATA / "freesolv.csv", name="freesolv")[0]


def train(resources, dataset_id, context, **options):
    options = FAST | options
    params = TrainParams(dataset="freesolv", dataset_id=dataset_id, targets=("expt",), **options)
    return training.run(resources, context, params)


def stored(resources, model_id, name):
    return resources.storage.read(f"models/{model_id}/{name}")


@pytest.mark.req("S0-10", "goal-60", "goal-61")
def test_the_same_training_leaves_the_same_reports(resources, dataset_id):
    context = SilentContext(project_id=PROJECT)
    ids = [train(resources, dataset_id, context).result["model_id"] for _ in range(2)]
    for name in NAMES:
        first, second = (stored(resources, model_id, name) for model_id in ids)
        assert first == second, name
    manifest = orjson.loads(stored(resources, ids[0], "manifest.json"))
    assert manifest["files"].keys() >= set(NAMES)
    page = stored(resources, ids[0], "report.html").decode()
    figure = orjson.loads(stored(resources, ids[0], "metrics.json"))["test"]["expt"]["rmse"]
    assert f"{figure['value']:.3f} [{figure['ci_low']:.3f}, {figure['ci_high']:.3f}]" in page
    assert manifest["split"]["hash"] in page
    assert manifest["libraries"]["rdkit"] in page
    code = manifest["code"]
    named = ", commit ".join(filter(None, (code["version"], code["revision"])))
    for name in ("report.html", "card.md"):
        assert f"Retort {named}" in stored(resources, ids[0], name).decode()


@pytest.mark.req("S0-10")
def test_the_request_in_the_report_makes_the_same_model(resources, dataset_id):
    """Of a training that said little, its defaults filled in by the report."""
    context = SilentContext(project_id=PROJECT)
    first = train(resources, dataset_id, context).result["model_id"]
    manifest = orjson.loads(stored(resources, first, "manifest.json"))
    request = reproduce.request(StoredModel(manifest=manifest, metrics={}, predictions=None))
    params = TrainParams(**request, dataset_id=dataset_id, bootstrap=FAST["bootstrap"])
    second = training.run(resources, context, params).result["model_id"]
    again = orjson.loads(stored(resources, second, "manifest.json"))
    assert again == manifest, "with the hash of every file"


@pytest.mark.parametrize("features", [("morgan_counts", "erg"), ("physchem",)])
def test_an_algorithm_without_importances_has_them_measured(resources, dataset_id, features):
    """On test rows, twice the same; blocks of many columns, few columns by themselves."""
    context = SilentContext(project_id=PROJECT)
    options = {
        "algorithm": {"name": "svm"},
        "features": [{"name": name} for name in features],
        "calibration": "split",
    }
    first, second = (train(resources, dataset_id, context, **options).result for _ in range(2))
    found = first["metrics"]["importance"]
    assert found == second["metrics"]["importance"]
    told = found["targets"]["expt"]
    assert told["score"] == pytest.approx(first["metrics"]["test"]["expt"]["rmse"]["value"])
    assert found["rows"] == first["metrics"]["n"]["test"]
    names = [one["name"] for one in told["losses"]]
    assert found["blocks"] == (len(features) == 2)
    assert sorted(names) == sorted(features) if found["blocks"] else len(names) > 5
    assert told["losses"][0]["loss"] > 3 * told["losses"][0]["std"]
    page = stored(resources, first["model_id"], "report.html").decode()
    assert "so it was measured when the model was trained" in page
    assert names[0] in page.partition('id="importance"')[2]


def test_a_linear_model_has_standardized_coefficients(resources, dataset_id):
    """Those of the estimator itself, fitted to columns of mean 0 and standard deviation 1."""
    made = train(
        resources,
        dataset_id,
        SilentContext(project_id=PROJECT),
        features=({"name": "physchem"},),
        algorithm={"name": "ridge", "params": {"alpha": 2.0}},
    ).result
    facts = orjson.loads(stored(resources, made["model_id"], "manifest.json"))["facts"]
    bundle = ModelBundle.load(resources.storage, f"models/{made['model_id']}/manifest.json")
    table = pq.read_table(
        resources.storage.local_path(f"models/{made['model_id']}/predictions.parquet")
    )
    learned = table.filter(pc.equal(table["part"], "out_of_fold")).to_pydict()
    X = featurize_smiles(bundle.features.feature_set, learned["smiles"], None).matrix.astype(float)
    kept = X.std(axis=0) > 0
    X = (X[:, kept] - X[:, kept].mean(axis=0)) / X[:, kept].std(axis=0)
    expected = dict(
        zip(
            np.array(bundle.features.columns)[kept],
            Ridge(alpha=2.0).fit(X, learned["expt"]).coef_,
            strict=True,
        )
    )
    found = dict(facts["coefficients"]["expt"])
    assert found == pytest.approx({name: expected[name] for name in found}, rel=0.02, abs=2e-3)
    assert len(found) == min(20, kept.sum())
    assert "importance" not in made["metrics"]
    assert min(found.values()) < 0 < max(found.values())


@pytest.fixture
def model(resources, dataset_id):
    outcome = train(resources, dataset_id, job_context(resources, "train"))
    with resources.database.session() as session:
        outcome.commit(session)
        return session.get_one(ModelVersionRow, outcome.result["model_id"])


def test_they_are_served_as_they_were_stored(api, resources, model):
    page = api.get("models/freesolv:1/report")
    assert page.content == stored(resources, model.id, "report.html")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "sandbox" in policy.split("; ")
    for name in ("card", "qmrf"):
        answer = api.get(f"models/freesolv:1/{name}")
        assert answer.content == stored(resources, model.id, f"{name}.md")
        assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert api.get("models/nothing/report").status_code == 404


def test_a_worker_writes_those_of_a_model_that_has_none(api, resources, model, monkeypatch):
    """The worker is asked in this process; what it makes of the stored files is what the training
    made of the same.
    """
    before = {name: stored(resources, model.id, name) for name in NAMES}
    resources.storage.delete(f"models/{model.id}/report.html")
    asked = []

    def ask(resources, payload, timeout):
        asked.append(payload)
        assert timeout > 0
        return QUESTIONS[payload["question"]](resources, payload)

    monkeypatch.setattr("api.routes.models.ask", ask)
    assert api.get("models/freesolv:1/report").content == before["report.html"]
    assert api.get("models/freesolv:1/card").content == before["card.md"]
    assert [payload["file"] for payload in asked] == ["report.html"]
    for name in NAMES:
        payload = {"manifest_key": model.manifest_key, "file": name}
        assert report_now(resources, payload)["text"].encode() == before[name]


def test_a_training_outlives_a_report_that_cannot_be_written(
    resources, dataset_id, monkeypatch, caplog
):
    monkeypatch.setattr("app.reporting.service.reports", lambda model: 1 / 0)
    result = train(resources, dataset_id, SilentContext(project_id=PROJECT)).result
    files = orjson.loads(stored(resources, result["model_id"], "manifest.json"))["files"]
    assert not set(NAMES) & files.keys()
    assert "metrics.json" in files
    assert "ZeroDivisionError" in caplog.text
