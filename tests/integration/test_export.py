"""Models leave and come in: real training, real blobs and Postgres, real jobs."""

import base64
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from app.exporting.signing import Signer
from app.integrity.blobs import missing_blobs, unseen_blobs
from app.integrity.records import broken_rules
from tests.support.inline import work_off
from tests.support.molecules import DATA, ESOL_TARGET

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "random_forest": {"n_estimators": 20},
    "lightgbm": {"n_estimators": 30},
    "xgboost": {"n_estimators": 30},
    "catboost": {"iterations": 30},
    "consensus": {
        "members": [
            {"name": "lightgbm", "params": {"n_estimators": 20}},
            {"name": "catboost", "params": {"iterations": 20}},
        ]
    },
}


class Lab:
    """One installation, asked over HTTP; its jobs run here."""

    def __init__(self, api, resources):
        self.api = api
        self.resources = resources

    def upload(self, content, name):
        return self.api.post("files", files={"file": (name, content)}).json()["id"]

    def job(self, path, body, state="succeeded"):
        answer = self.api.post(path, json=body)
        assert answer.status_code == 202, answer.text
        work_off(self.resources)
        job_id = answer.headers["Location"].rsplit("/", 1)[1]
        job = self.api.get(f"jobs/{job_id}").json()
        assert job["state"] == state, job["error"]
        return job

    def dataset(self, name, text, roles, **options):
        body = {"file_id": self.upload(text, f"{name}.csv"), "name": name, "roles": roles}
        self.job("datasets", body | options)

    def train(self, dataset, target, algorithm, name, **params):
        given = {
            "dataset": dataset,
            "targets": [target],
            "algorithm": {"name": algorithm, "params": SMALL.get(algorithm, {})},
            "name": name,
            "bootstrap": 0,
        }
        return self.job("jobs", {"kind": "train", "params": given | params})["result"]["model_ref"]

    def export(self, ref, format_, state="succeeded"):
        return self.job(f"models/{ref}/export", {"format": format_}, state)

    def content(self, job):
        return self.api.get(f"files/{job['result']['file_id']}/content").content

    def predictions(self, ref, text, **params):
        file_id = self.upload(text, "in.csv")
        given = {"model": ref, "file_id": file_id} | params
        job = self.job("jobs", {"kind": "predict", "params": given})
        files = self.api.get(f"jobs/{job['id']}/artifacts").json()["items"]
        (found,) = [file for file in files if file["name"] == "predictions.csv"]
        return self.api.get(f"files/{found['id']}/content").text

    def versions(self):
        return [m["ref"] for m in self.api.get("models").json()["items"]]


@pytest.fixture
def lab(api, resources):
    return Lab(api, resources)


def esol(rows=160):
    with (DATA / "esol.csv").open() as stream:
        table = list(csv.DictReader(stream))
    return _text(["smiles", ESOL_TARGET], table[: rows * 4 : 4])


def telco(rows=300):
    with (DATA / "telco_churn.csv").open() as stream:
        table = list(csv.DictReader(stream))[:rows]
    names = ["tenure", "MonthlyCharges", "Contract", "PaymentMethod", "Churn"]
    return _text(names, table)


def _text(names, rows):
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


@pytest.fixture
def ridge(lab):
    lab.dataset("esol", esol(), {ESOL_TARGET: "target"})
    return lab.train("esol", ESOL_TARGET, "ridge", "sol", features=[{"name": "maccs"}])


@pytest.mark.req("goal-64")
def test_a_bundle_is_the_same_bytes_each_time_and_holds_what_its_manifest_names(lab, ridge):
    first, second = lab.export(ridge, "bundle"), lab.export(ridge, "bundle")
    content = lab.content(first)
    assert content == lab.content(second)
    assert hashlib.sha256(content).hexdigest() == first["result"]["sha256"]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        names = set(archive.namelist())
        assert names == {*manifest["files"], "manifest.json", "bundle.json", "probe.json"}
        for name, sha256 in manifest["files"].items():
            assert hashlib.sha256(archive.read(name)).hexdigest() == sha256
    assert {"report.html", "card.md", "weights/target-0.skops"} <= names
    assert first["result"]["manifest_sha256"] == lab.api.get(f"models/{ridge}").json()["sha256"]


@pytest.mark.req("goal-67")
def test_an_imported_bundle_is_a_version_that_predicts_the_same(lab, resources, ridge):
    exported = lab.export(ridge, "bundle")
    file_id = lab.upload(lab.content(exported), "sol.zip")
    job = lab.job(
        "models", {"file_id": file_id, "name": "theirs", "sha256": exported["result"]["sha256"]}
    )
    assert job["kind"] == "import_model"
    assert job["result"]["model_ref"] == "theirs:1"
    assert job["result"]["largest_difference"] < 1e-6
    model = lab.api.get("models/theirs:1").json()
    original = lab.api.get(f"models/{ridge}").json()
    assert model["dataset_id"] is None
    source = model["imported_from"]
    assert (source["name"], source["number"]) == ("sol", 1)
    assert source["sha256"] == exported["result"]["sha256"]
    for name in ("sha256", "metrics", "targets", "hyperparameters", "feature_set_hash", "task"):
        assert model[name] == original[name]
    lineage = lab.api.get("models/theirs:1/lineage").json()
    assert lineage["file"] is lineage["dataset"] is lineage["split"] is None
    (parent,) = lineage["parents"]
    assert (parent["kind"], parent["ref"]) == ("imported_from", "sol:1")
    assert parent["sha256"] == source["sha256"]
    asked = "smiles\nCCO\nc1ccccc1\nnonsense\nCCCCCC\n"
    assert lab.predictions("theirs", asked) == lab.predictions(ridge, asked)
    assert lab.api.get("models/theirs/card").text == lab.api.get(f"models/{ridge}/card").text
    assert broken_rules(resources.database) == []
    assert missing_blobs(resources.database, resources.storage) == []
    assert unseen_blobs(resources.database, resources.storage) == []


def test_the_lineage_names_what_a_version_was_made_from(lab, ridge):
    first = lab.api.get(f"models/{ridge}/lineage").json()
    assert [one["name"] for one in first["features"]["featurizers"]] == ["maccs"]
    assert first["features"]["hash"] == lab.api.get(f"models/{ridge}").json()["feature_set_hash"]
    assert first["parents"] == []
    edits = {"params": {"algorithm": {"name": "ridge", "params": {"alpha": 3.0}}}}
    again = lab.job(f"jobs/{first['job']['id']}/rerun", edits)["result"]["model_ref"]
    (parent,) = lab.api.get(f"models/{again}/lineage").json()["parents"]
    assert (parent["kind"], parent["job_id"]) == ("rerun_of", first["job"]["id"])
    assert parent["model"]["ref"] == ridge
    tuned = {"dataset": "esol", "targets": [ESOL_TARGET], "algorithm": "ridge", "name": "tuned"}
    search = {**tuned, "features": [{"name": "maccs"}], "n_trials": 2, "folds": 2}
    lab.job("jobs", {"kind": "optimize", "params": search})
    (study,) = lab.api.get("models/tuned:1/lineage").json()["parents"]
    assert (study["kind"], study["metric"]) == ("study", "rmse")


def test_a_signed_bundle_says_who_made_it_and_a_stranger_s_is_refused(
    lab, resources, ridge, monkeypatch
):
    ours, theirs = Signer(b"o" * 32), Signer(b"t" * 32)

    def settings(**said):
        monkeypatch.setattr(resources, "settings", resources.settings.model_copy(update=said))

    settings(signing_key=base64.b64encode(b"o" * 32).decode())
    exported = lab.export(ridge, "bundle")
    assert exported["result"]["signed_by"] == ours.public_key
    body = {"file_id": lab.upload(lab.content(exported), "sol.zip"), "name": "theirs"}
    settings(signing_key="", trusted_signers=(theirs.public_key,))
    failed = lab.job("models", body, state="failed")
    assert failed["error"]["code"] == "bundle_refused"
    assert ours.public_key in failed["error"]["detail"]
    assert lab.versions() == [ridge]
    settings(trusted_signers=(ours.public_key,))
    assert lab.job("models", body)["result"]["signed_by"] == ours.public_key
    model = lab.api.get("models/theirs:1").json()
    assert model["imported_from"]["signed_by"] == ours.public_key


def test_an_imported_model_is_evaluated_on_another_data_set_and_exported_again(lab, ridge):
    content = lab.content(lab.export(ridge, "bundle"))
    lab.job("models", {"file_id": lab.upload(content, "sol.zip"), "name": "theirs"})
    refused = lab.api.post("jobs", json={"kind": "evaluate", "params": {"model": "theirs"}})
    assert refused.status_code == 422
    assert "imported" in refused.json()["detail"]
    body = {"kind": "evaluate", "params": {"model": "theirs", "dataset": "esol", "bootstrap": 0}}
    theirs = lab.job("jobs", body)["result"]
    body["params"]["model"] = ridge
    ours = lab.job("jobs", body | {"params": body["params"] | {"part": "all"}})["result"]
    assert theirs["metrics"] == ours["metrics"]
    assert theirs["part"] == "all"
    assert theirs["rows"]["seen_in_training"] > 100
    again = lab.content(lab.export("theirs", "bundle"))
    with zipfile.ZipFile(io.BytesIO(again)) as new, zipfile.ZipFile(io.BytesIO(content)) as old:
        assert new.namelist() == old.namelist()
        same = set(old.namelist()) - {"bundle.json"}
        assert all(new.read(name) == old.read(name) for name in same)


def offline(bundle, table, target, folder):
    """In a process without database, Redis or settings of ours."""
    variables = {n: v for n, v in os.environ.items() if not n.startswith("RETORT_")}
    variables |= {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "PYTHONPATH": str(ROOT)}
    words = ["-m", "app.exporting.run", str(bundle), str(table), "-o", str(target)]
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


#: MLflow's way in, with this project on no path: what it imports must lie in the folder
LOAD = """
import sys
sys.meta_path = [f for f in sys.meta_path if "editables" not in getattr(f, "__module__", "")]
sys.path = [p for p in sys.path if p not in ("", sys.argv[4])]
import mlflow.pyfunc, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
import app
assert app.__file__.startswith(sys.argv[1]), app.__file__
model.predict(pd.read_csv(sys.argv[2])).to_csv(sys.argv[3], index=False)
"""


def with_mlflow(content, table, folder):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder / "pyfunc")
    answers = folder / "answers.csv"
    variables = {n: v for n, v in os.environ.items() if not n.startswith(("RETORT_", "PYTHON"))}
    words = ["-c", LOAD, str(folder / "pyfunc"), str(table), str(answers), str(ROOT)]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return list(csv.DictReader(answers.open()))


def check_everywhere(lab, ref, text, folder):
    """A predict job, the bundle offline and MLflow say the same of the same file."""
    table, target = folder / "in.csv", folder / "out.csv"
    table.write_text(text)
    (folder / "model.zip").write_bytes(lab.content(lab.export(ref, "bundle")))
    done = offline(folder / "model.zip", table, target, folder)
    assert done.returncode == 0, done.stderr
    assert "refused" in done.stdout
    said = lab.predictions(ref, text)
    assert target.read_bytes().decode() == said
    pyfunc = lab.export(ref, "pyfunc")
    assert any(word.startswith("scikit-learn==") for word in pyfunc["result"]["requirements"])
    content = lab.content(pyfunc)
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]
    rows = list(csv.DictReader(io.StringIO(said)))
    for row, found in zip(rows, with_mlflow(content, table, folder), strict=True):
        # row, id and input are of the file
        assert [*found] == [*row][3:]
        for name, value in found.items():
            assert value == row[name] or float(value) == pytest.approx(float(row[name]), rel=1e-5)


@pytest.mark.req("goal-64", "S1-34")
def test_molecules_are_predicted_alike_by_job_bundle_and_mlflow(lab, ridge, tmp_path):
    check_everywhere(lab, ridge, "smiles\nCCO\nc1ccccc1\nnonsense\nCCCCCC\n", tmp_path)


@pytest.mark.req("goal-64", "S1-34")
def test_a_table_is_predicted_alike_and_travels(lab, tmp_path):
    lab.dataset("churn", telco(), {"Churn": "target"}, kind="table")
    ref = lab.train("churn", "Churn", "lightgbm", "churn")
    text = "tenure,MonthlyCharges,Contract,PaymentMethod\n5,70.5,One year,\n,20,never seen,X\n"
    check_everywhere(lab, ref, text, tmp_path)
    bundle = (tmp_path / "model.zip").read_bytes()
    lab.job("models", {"file_id": lab.upload(bundle, "b.zip"), "name": "theirs"})
    assert lab.predictions("theirs", text) == lab.predictions(ref, text)
    graph = lab.export("theirs", "onnx")["result"]
    assert graph["largest_difference"] <= graph["tolerance"] == 1e-4
    assert graph["file"] == "theirs-1-onnx.onnx"


def test_what_has_no_graph_says_why(lab):
    lab.dataset("esol", esol(60), {ESOL_TARGET: "target"})
    ref = lab.train("esol", ESOL_TARGET, "k_neighbors", "near", features=[{"name": "maccs"}])
    error = lab.export(ref, "onnx", "failed")["error"]
    assert error["code"] == "export_not_possible"
    assert "Tanimoto" in error["detail"]
    assert "bundle" in error["remedy"]


@pytest.mark.req("goal-65")
def test_an_altered_bundle_leaves_nothing(lab, resources, ridge):
    content = lab.content(lab.export(ridge, "bundle"))
    before = lab.versions()
    body = {"file_id": lab.upload(content, "b.zip"), "sha256": "0" * 64}
    assert lab.job("models", body, "failed")["error"]["code"] == "bundle_altered"
    foreign = lab.upload(b"PK not a zip", "b.zip")
    assert lab.job("models", {"file_id": foreign}, "failed")["error"]["code"] == "bundle_refused"
    assert lab.versions() == before
    assert unseen_blobs(resources.database, resources.storage) == []
    assert broken_rules(resources.database) == []
