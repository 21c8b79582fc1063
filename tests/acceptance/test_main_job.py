"""The main job on real molecules, through the real gateway, workers, Redis and Postgres."""

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from rdkit import Chem

from retort import InvalidRequest, JobFailed
from tests.support.molecules import DATA, ESOL_TARGET, rows_of

QUICK = {"name": "lightgbm", "params": {"n_estimators": 100}}
MORGAN = [{"name": "morgan_counts"}]


@pytest.fixture(scope="session")
def esol(client):
    return client.datasets.create(DATA / "esol.csv", "esol", roles={ESOL_TARGET: "target"})


@pytest.fixture(scope="session")
def model(client, esol):
    job = client.train(
        "esol", targets=[ESOL_TARGET], features=MORGAN, algorithm=QUICK, alias="champion"
    )
    return client.jobs.wait(job["id"])["result"]


def artifact(client, job, name):
    found = {entry["name"]: entry for entry in client.jobs.artifacts(job["id"])}
    stream = io.BytesIO()
    client.files.download(found[name]["id"], stream)
    return stream.getvalue()


def table(client, job, name="predictions.csv"):
    return list(csv.DictReader(io.StringIO(artifact(client, job, name).decode())))


@pytest.mark.req("goal-25")
def test_every_row_of_the_file_is_accounted_for(client, esol):
    assert esol["rows_in"] == 1128 == len(rows_of("esol.csv"))
    assert esol["rows_in"] == esol["rows_ok"] + esol["rows_rejected"] + esol["rows_merged"]
    roles = {column["name"]: column["role"] for column in esol["columns"]}
    assert roles["smiles"] == "smiles"
    assert roles["Compound ID"] == "id"
    assert roles[ESOL_TARGET] == "target"


def test_a_model_is_better_than_its_baseline_and_its_files_are_there(client, model, tmp_path):
    found = client.models.get("esol@champion")
    assert found["id"] == model["model_id"]
    rmse, baseline = (found["metrics"][p][ESOL_TARGET]["rmse"] for p in ("test", "baseline"))
    assert rmse["ci_low"] < rmse["value"] < rmse["ci_high"] < baseline["value"]
    client.models.download("esol@champion", "parity.svg", tmp_path / "parity.svg")
    assert "<svg" in (tmp_path / "parity.svg").read_text()
    manifest = client.transport.json("GET", "/models/esol@champion/manifest")
    assert manifest["dataset"]["ref"].startswith("esol:")
    assert all(len(digest) == 64 for digest in manifest["files"].values())


@pytest.mark.req("S0-26")
def test_the_metric_is_what_scikit_learn_says_of_the_stored_predictions(client, model, tmp_path):
    import pyarrow.parquet as pq
    from sklearn.metrics import root_mean_squared_error

    client.models.download("esol@champion", "predictions.parquet", tmp_path / "p.parquet")
    rows = [r for r in pq.read_table(tmp_path / "p.parquet").to_pylist() if r["part"] == "test"]
    truth = {n: float(row[ESOL_TARGET]) for n, row in enumerate(rows_of("esol.csv"), start=1)}
    expected = root_mean_squared_error(
        [r[ESOL_TARGET] for r in rows], [r[f"{ESOL_TARGET}_predicted"] for r in rows]
    )
    assert model["metrics"]["test"][ESOL_TARGET]["rmse"]["value"] == pytest.approx(expected)
    single = [r for r in rows if r[ESOL_TARGET] == truth[r["row"]]]
    assert len(single) > 0.95 * len(rows), "labels are those of the file (but for merged rows)"


@pytest.mark.req("K-4")
def test_the_gpu_queue_trains_the_network(client, esol):
    algorithm = {"name": "mlp", "params": {"max_epochs": 8, "hidden_sizes": [64]}}
    job = client.train(
        "esol", targets=[ESOL_TARGET], features=MORGAN, algorithm=algorithm, name="net"
    )
    assert job["queue"] == "gpu"
    result = client.jobs.wait(job["id"])["result"]
    metrics = result["metrics"]
    assert (
        metrics["test"][ESOL_TARGET]["rmse"]["value"]
        < metrics["baseline"][ESOL_TARGET]["rmse"]["value"]
    )


@pytest.mark.req("F-03")
def test_a_study_searches_in_parallel_and_trains_the_best(client, esol):
    """Asked for twice: the same trials, and the same model to the byte."""
    results, trials = [], []
    for name in ("tuned", "again"):
        job = client.optimize(
            "esol",
            targets=[ESOL_TARGET],
            algorithm="ridge",
            features=MORGAN,
            n_trials=14,
            name=name,
        )
        result = client.jobs.wait(job["id"])["result"]
        found = client.transport.json("GET", f"/studies/{result['study_id']}/trials")["items"]
        results.append(result)
        trials.append([(t["number"], t["value"], t["params"]) for t in found])
        assert len(client.transport.json("GET", f"/jobs/{job['id']}/chunks")["items"]) == 14
    result = results[0]
    assert result["n_trials"] == 14
    assert result["best_value"] <= result["default_value"]
    assert client.models.get(result["model_ref"])["hyperparameters"] == result["best_params"]
    assert min(value for _, value, _ in trials[0]) == pytest.approx(result["best_value"])
    assert trials[1] == trials[0]
    first, second = (
        client.transport.json("GET", f"/models/{r['model_ref']}/manifest")["files"] for r in results
    )
    same = {file for file in first if first[file] == second[file]}
    assert {file for file in first if file.startswith("weights/")} <= same
    assert "predictions.parquet" in same


def test_features_are_computed_once(client, esol):
    first = client.jobs.wait(client.featurize("esol", features=[{"name": "maccs"}])["id"])
    again = client.jobs.wait(client.featurize("esol", features=[{"name": "maccs"}])["id"])
    assert (first["result"]["cached"], again["result"]["cached"]) == (False, True)
    assert first["result"]["key"] == again["result"]["key"]


@pytest.mark.req("S0-11")
def test_interactive_answers_equal_the_batch(client, model, tmp_path):
    smiles = [row["smiles"] for row in rows_of("freesolv.csv")[:40]] + ["C1CC(", ""]
    path = tmp_path / "few.csv"
    path.write_text("name,smiles\n" + "".join(f"m{n},{s}\n" for n, s in enumerate(smiles)))
    job = client.jobs.wait(client.predict_file("esol@champion", path)["id"])
    batch = table(client, job)
    now = client.predict(
        "esol@champion", [{"smiles": s, "id": f"m{n}"} for n, s in enumerate(smiles)]
    )
    assert [item["id"] for item in now] == [row["id"] for row in batch]
    for item, row in zip(now, batch, strict=True):
        assert item["status"] == row["status"]
        if item["status"] == "ok":
            answer = item["targets"][ESOL_TARGET]
            assert answer["value"] == pytest.approx(float(row[ESOL_TARGET]))
            assert answer["interval"][0] == pytest.approx(float(row[f"{ESOL_TARGET}_lower"]))
    assert [item["status"] for item in now[-2:]] == ["error", "error"]
    assert "RDKit" in now[-2]["reason"]
    assert "empty" in batch[-1]["reason"]


def test_an_sdf_with_gzip_is_ingested_and_predicted(client, model):
    path = DATA / "membrane_permeability.sdf.gz"
    dataset = client.datasets.create(path, "membrane")
    with gzip.open(path) as stream:
        records = [mol is not None for mol in Chem.ForwardSDMolSupplier(stream)]
    assert dataset["rows_in"] == len(records)
    assert dataset["rows_ok"] > 0.9 * len(records)
    assert {"LogP(RRCK)"} <= {c["name"] for c in dataset["columns"] if c["role"] == "target"}
    job = client.jobs.submit("predict", {"model": "esol", "dataset": "membrane"})
    assert client.jobs.wait(job["id"])["counts"]["rows_total"] == len(records)


def test_classes_and_a_scaffold_split(client, tmp_path):
    path = tmp_path / "classes.csv"
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["smiles", "solubility"])
        for row in rows_of("esol.csv"):
            value = float(row[ESOL_TARGET])
            word = "poor" if value < -4 else "fair" if value < -2 else "good"
            writer.writerow([row["smiles"], word])
    client.datasets.create(path, "words", roles={"solubility": "target"})
    job = client.train(
        "words",
        features=MORGAN,
        split={"name": "scaffold"},
        algorithm={"name": "logistic_regression"},
    )
    result = client.jobs.wait(job["id"])["result"]
    assert result["task"] == "multiclass"
    assert result["metrics"]["mean"]["roc_auc"]["value"] > 0.75
    (item,) = client.predict("words", ["CCO"])
    answer = item["targets"]["solubility"]
    assert answer["class"] == "good"
    assert sum(answer["probabilities"].values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "content", "options", "code"),
    [
        ("no_smiles.csv", b"a,b\n1,2\n3,4\n", {"kind": "molecule"}, "no_structure_column"),
        ("header.csv", b"smiles,y\n", {}, "no_rows"),
        ("binary.csv", b"\x00\x01\x02smiles", {}, "not_a_table"),
        ("damaged.csv.gz", gzip.compress(b"smiles\nCCO\n" * 500)[:60], {}, "damaged_file"),
        ("bad.csv", b"smiles\nxx\nyy(\n", {"roles": {"smiles": "smiles"}}, "rows_refused"),
        ("roles.csv", b"smiles,y\nCCO,1\n", {"roles": {"z": "target"}}, "unknown_name"),
    ],
)
def test_a_file_that_cannot_be_used_is_explained(client, tmp_path, name, content, options, code):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(JobFailed) as failed:
        client.datasets.create(path, "broken", **options)
    assert failed.value.code == code
    assert failed.value.remedy
    assert client.datasets.get("broken")["state"] == "failed"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"targets": ["solubillity"]}, "no target column"),
        ({"targets": ["Compound ID"]}, "no target column"),
        ({"split": {"name": "column", "params": {"column": "fold"}}}, "no split column"),
        ({"task": "binary", "targets": [ESOL_TARGET]}, "different values"),
    ],
)
def test_a_training_that_cannot_work_is_explained(client, esol, params, words):
    job = client.train("esol", features=MORGAN, **{"targets": [ESOL_TARGET], **params})
    with pytest.raises(JobFailed, match=words) as failed:
        client.jobs.wait(job["id"])
    assert failed.value.remedy
    assert failed.value.job["attempt"] == 1


@pytest.mark.req("S4-16")
def test_an_algorithm_and_a_featurizer_are_one_file_each(client, esol):
    """Both files lie in a folder of the site; nothing of the product names them."""
    assert "site_median" in [entry["name"] for entry in client.catalog("algorithms")]
    job = client.train(
        "esol",
        targets=[ESOL_TARGET],
        features=[{"name": "site_heavy_atoms"}],
        algorithm={"name": "site_median", "params": {"shift": 1.0}},
        name="site",
    )
    client.jobs.wait(job["id"])
    (item,) = client.predict("site", ["CCO"])
    manifest = client.transport.json("GET", "/models/site/manifest")
    assert item["targets"][ESOL_TARGET]["value"] == pytest.approx(manifest["facts"]["median"][0])
    with pytest.raises(InvalidRequest, match="site_median"):
        client.train("esol", algorithm={"name": "site_median", "params": {"shit": 1}})


def test_models_reach_mlflow_by_themselves(client, model):
    for _ in range(120):
        run_id = client.models.get("esol@champion")["mlflow_run_id"]
        if run_id:
            break
        time.sleep(1)
    assert run_id
    import mlflow

    uri = client.about()["links"]["mlflow"]
    run = mlflow.MlflowClient(tracking_uri=uri).get_run(run_id)
    assert run.data.metrics["test_rmse"] == pytest.approx(
        model["metrics"]["test"][ESOL_TARGET]["rmse"]["value"]
    )
    assert run.data.params["algorithm"] == "lightgbm"


def test_the_command_line_drives_it_all(cluster, client, model, tmp_path):
    def retort(*words):
        return subprocess.run(
            [sys.executable, "-c", "from retort.cli import main; main()", *words],
            env=cluster.environment,
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )

    push = retort("data", "push", str(DATA / "freesolv.csv"), "--target", "expt")
    assert push.returncode == 0, push.stderr
    assert "642 rows in" in push.stdout
    train = retort(
        "train",
        "freesolv",
        "--target",
        "expt",
        "--algorithm",
        "ridge",
        "--features",
        "maccs",
        "--set",
        "alpha=10",
    )
    assert train.returncode == 0, train.stderr
    assert "next: retort predict" in train.stdout
    (tmp_path / "in.csv").write_text("smiles\nCCO\nnope(\n")
    predict = retort("predict", "freesolv", "in.csv", "-o", "out.csv")
    assert "2 rows = 1 predicted + 1 explained" in predict.stdout
    assert len(list(csv.DictReader((tmp_path / "out.csv").open()))) == 2
    assert retort("models", "show", "nothing").returncode == 4
    failed = retort("train", "freesolv", "--target", "nope")
    assert failed.returncode == 1
    assert "→" in failed.stderr
    assert json.loads(retort("models", "ls", "--json").stdout)[0]["name"]


# ---- what survives a kill


def pid_of(cluster, name):
    processes = json.loads((cluster.home / "state.json").read_text())["processes"]
    found = (
        processes[name]
        if isinstance(processes, dict)
        else next(p for p in processes if p["name"] == name)
    )
    return found["pid"]


@pytest.mark.parametrize("victim", ["cpu"])
def test_kill_9_in_the_middle_of_the_demos_jobs(cluster, client, model, victim):
    """Every accepted job still ends, once. All other faults: tests/faults/."""
    net = {"name": "mlp", "params": {"max_epochs": 6, "hidden_sizes": [64]}}
    jobs = [
        client.train("esol", targets=[ESOL_TARGET], features=MORGAN, algorithm=QUICK, name="k"),
        client.train("esol", targets=[ESOL_TARGET], features=MORGAN, algorithm=net, name="k"),
        client.optimize(
            "esol", targets=[ESOL_TARGET], features=MORGAN, algorithm="ridge", n_trials=4, name="k"
        ),
        client.predict_file("esol@champion", DATA / "lipophilicity.csv"),
    ]
    time.sleep(1.0)
    os.kill(pid_of(cluster, victim), signal.SIGKILL)
    during = client.train("esol", targets=[ESOL_TARGET], features=MORGAN, algorithm=QUICK, name="k")
    for job in (*jobs, during):
        ended = client.jobs.wait(job["id"])
        events = client.transport.json("GET", f"/jobs/{job['id']}/events")["items"]
        states = [e["data"]["state"] for e in events if e["type"] == "state"]
        assert states.count("succeeded") == 1
        assert states[-1] == "succeeded"
        if ended["kind"] == "predict":
            assert [int(row["row"]) for row in table(client, ended)] == list(range(1, 4201))


# ---- size


@pytest.mark.slow
@pytest.mark.req("goal-25")
def test_hiv_with_metals_and_worse(cluster, client, model):
    """41,913 rows: every one out, in order, with a number or a reason; memory bounded."""
    peak: dict[str, int] = {}

    def watch():
        for process in psutil.process_iter(["cmdline", "memory_info", "environ"]):
            words = process.info["cmdline"] or []
            home = (process.info["environ"] or {}).get("RETORT_HOME")
            if home == str(cluster.home) and "worker" in words:
                rss = process.info["memory_info"].rss
                peak[str(process.pid)] = max(peak.get(str(process.pid), 0), rss)

    path = DATA / "hiv.csv.gz"
    dataset = client.datasets.create(path, "hiv", roles={"HIV_active": "target"}, wait=False)
    job = client.jobs.submit("predict", {"model": "esol@champion", "file_id": dataset["file_id"]})
    while client.jobs.get(job["id"])["state"] not in ("succeeded", "failed"):
        watch()
        time.sleep(0.5)
    ended = client.jobs.wait(job["id"])
    client.jobs.wait(dataset["job_id"])
    dataset = client.datasets.get("hiv")
    assert dataset["rows_in"] == 41_913
    assert (
        dataset["rows_in"] == dataset["rows_ok"] + dataset["rows_rejected"] + dataset["rows_merged"]
    )
    rows = table(client, ended)
    assert [int(row["row"]) for row in rows] == list(range(1, 41_914))
    assert [row["input"].lstrip("'") for row in rows] == [
        r["smiles"] for r in rows_of("hiv.csv.gz")
    ]
    refused = [row for row in rows if row["status"] == "error"]
    assert 0 < len(refused) < 100
    assert all(row["reason"] and not row[ESOL_TARGET] for row in refused)
    assert all(np.isfinite(float(r[ESOL_TARGET])) for r in rows if r["status"] == "ok")
    rejected = client.transport.request("GET", "/datasets/hiv/rejected").text
    assert len(list(csv.DictReader(io.StringIO(rejected)))) == dataset["rows_rejected"]
    assert peak
    assert max(peak.values()) < 1.5 * 2**30, peak


@pytest.mark.slow
def test_tox21_with_missing_labels(client, tmp_path):
    """12 targets: mean AUROC on a random split (MoleculeNet's best is 0.829)."""
    dataset = client.datasets.create(DATA / "tox21.csv.gz", "tox21")
    targets = [c["name"] for c in dataset["columns"] if c["role"] == "target"]
    assert len(targets) == 12
    client.jobs.wait(client.featurize("tox21")["id"])
    algorithm = {"name": "lightgbm", "params": {"n_estimators": 200}}
    # two folds to calibrate with instead of five: half of the time
    job = client.train("tox21", algorithm=algorithm, bootstrap=100, calibration_folds=2)
    result = client.jobs.wait(job["id"])["result"]
    assert result["task"] == "binary"
    assert len(result["metrics"]["test"]) == 12
    assert result["metrics"]["mean"]["roc_auc"]["value"] >= 0.80
    client.models.download("tox21", "roc.svg", tmp_path / "roc.svg")
