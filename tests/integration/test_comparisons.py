"""Comparisons over HTTP: values that are sent along, and columns that are stored here."""

import csv

import numpy as np
import pytest

from tests.support.datasets import ingested
from tests.support.molecules import DATA
from tests.support.worker_here import WorkerHere

UNIT = {"unit": "kcal/mol"}
CALC = {"dataset": "freesolv", "column": "calc"}
EXPT = {"dataset": "freesolv", "column": "expt"}


@pytest.fixture
def worker(resources, monkeypatch):
    here = WorkerHere(resources)
    monkeypatch.setattr(here.celery, "send_task", here.answer)
    return here


@pytest.fixture
def nobody(resources, monkeypatch):
    """Whoever asks a worker fails the test."""

    def refuse(name, *args, **kwargs):
        pytest.fail(f"{name} was sent")

    monkeypatch.setattr(WorkerHere(resources).celery, "send_task", refuse)


@pytest.fixture
def freesolv(resources):
    content = (DATA / "freesolv.csv").read_bytes()
    roles = {"expt": "target", "calc": "feature"}
    ingested(resources, content, name="freesolv", roles=roles)
    with (DATA / "freesolv.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {name: np.array([float(row[name]) for row in rows]) for name in ("expt", "calc")}


def compare(api, status=200, **body):
    answer = api.post("comparisons", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.req("S2-11", "F-07")
def test_a_few_values_are_compared_without_a_worker(api, nobody):
    items = [
        {"id": "a", "predicted": {"gap": 1.2, "score": 0.0}, "reference": {"gap": 1.0, "score": 0}},
        {"id": "b", "predicted": {"gap": 2.0}, "reference": {"gap": None, "score": 3}},
    ]
    found = compare(api, items=items, units={"gap": "eV"}, tolerances={"gap": 0.25})
    gap, score = found["properties"]["gap"], found["properties"]["score"]
    assert (gap["n"], gap["unit"], score["unit"]) == (1, "eV", None)
    assert gap["mae"] == pytest.approx(0.2)
    assert score["mae"] == 0.0, "zero is a number"
    assert gap["missing"] == {"reference": 1}
    assert (gap["quality"]["grade"], gap["quality"]["basis"]) == ("good", "tolerance")
    assert [item["id"] for item in found["items"]] == ["a", "b"]
    assert found["items"][0]["comparisons"]["gap"]["percent_error"] == pytest.approx(20.0)
    assert found["items"][0]["comparisons"]["score"]["percent_error"] is None
    assert found["items"][1]["missing"] == {"gap": "reference", "score": "predicted"}


def test_many_values_are_compared_by_a_worker(api, worker):
    rng = np.random.default_rng(0)
    y = rng.normal(0, 2, 150)
    p = y + rng.normal(0, 1, 150)
    items = [
        {"predicted": {"y": a}, "reference": {"y": b}}
        for a, b in zip(p.tolist(), y.tolist(), strict=True)
    ]
    found = compare(api, items=items)
    assert found["properties"]["y"]["rmse"] == pytest.approx(np.sqrt(np.mean((p - y) ** 2)))
    assert len(found["items"]) == 150


def test_units_are_turned_or_refused_by_name(api, nobody):
    items = [{"predicted": {"e": 23.0605}, "reference": {"e": 1.0}}]
    turned = compare(api, items=items, units={"e": "kcal/mol"}, reference_units={"e": "eV"})
    assert turned["properties"]["e"]["mae"] == pytest.approx(0, abs=1e-4)
    refused = compare(
        api, 422, items=items, units={"e": "kcal/mol"}, reference_units={"e": "mol/L"}
    )
    assert refused["code"] == "units_do_not_match"
    assert "mol/L" in refused["detail"]
    assert "kcal/mol" in refused["detail"]


@pytest.mark.req("S2-11")
def test_two_columns_of_a_data_set(api, worker, freesolv):
    """FreeSolv: the physics calculation against the measurement (Mobley & Guthrie 2014)."""
    found = compare(api, predicted=CALC | UNIT, reference=EXPT)
    summary = found["properties"]["expt"]
    error = freesolv["calc"] - freesolv["expt"]
    assert summary["n"] == found["matched"]["both"] == 642
    assert found["matched"]["by"] == "row"
    assert summary["mae"] == pytest.approx(np.abs(error).mean())
    assert summary["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert summary["quality"]["grade"] == "fair"
    assert found["notes"] == ["freesolv:1 has no unit; it was taken to be in kcal/mol"]
    worst = [item["comparisons"]["expt"]["absolute_error"] for item in found["items"]]
    assert worst == pytest.approx(np.sort(np.abs(error))[::-1][:20])
    assert found["items"][0]["id"] == int(np.argmax(np.abs(error))) + 1
    in_kilojoule = compare(
        api, predicted=CALC | UNIT, reference=EXPT | {"unit": "kJ/mol"}, tolerance=5
    )
    rmse = np.sqrt(np.mean((freesolv["calc"] - freesolv["expt"] / 4.184) ** 2))
    assert in_kilojoule["properties"]["expt"]["rmse"] == pytest.approx(rmse)
    assert in_kilojoule["properties"]["expt"]["quality"]["basis"] == "tolerance"


def test_a_job_and_a_model_against_a_data_set(api, worker, resources, freesolv):
    """What a model predicted, against the simulation that it never saw."""
    params = {
        "dataset": "freesolv",
        "targets": ["expt"],
        "algorithm": {"name": "ridge"},
        "features": [{"name": "maccs"}],
        "bootstrap": 0,
        "name": "hydration",
    }
    api.post("jobs", json={"kind": "train", "params": params})
    body = {"kind": "predict", "params": {"model": "hydration", "dataset": "freesolv"}}
    worker.run_all()
    job = api.post("jobs", json=body).json()["id"]
    worker.run_all()

    found = compare(api, predicted={"job": job} | UNIT, reference=CALC)
    assert found["matched"] | {"examples": None} == {
        "by": "structure",
        "both": 642,
        "only_predicted": 0,
        "only_reference": 0,
        "examples": None,
    }
    files = {f["name"]: f["id"] for f in api.get(f"jobs/{job}/artifacts").json()["items"]}
    text = api.get(f"files/{files['predictions.csv']}/content").text
    predicted = np.array([float(row["expt"]) for row in csv.DictReader(text.splitlines())])
    rmse = np.sqrt(np.mean((predicted - freesolv["calc"]) ** 2))
    assert found["properties"]["calc"]["rmse"] == pytest.approx(rmse)

    own = compare(api, predicted={"model": "hydration"}, reference=EXPT)
    told = api.get("models/hydration").json()["metrics"]["test"]["expt"]
    assert own["properties"]["expt"]["rmse"] == pytest.approx(told["rmse"]["value"])
    assert own["properties"]["expt"]["spearman"] == pytest.approx(told["spearman"]["value"])
    assert own["matched"]["only_reference"] == 642 - own["properties"]["expt"]["n"]

    no_job = compare(api, 422, predicted={"job": _train_job(api)}, reference=CALC)
    assert "kind predict" in no_job["remedy"]
    no_target = compare(api, 422, predicted={"model": "hydration", "column": "x"}, reference=CALC)
    assert no_target["code"] == "unknown_name"


def _train_job(api):
    return next(j["id"] for j in api.get("jobs?kind=train").json()["items"])


def test_molecules_of_two_data_sets_are_matched_by_structure(api, worker, resources):
    one = "smiles,y\nCCO,1\nCCC,2\nCCN,3\nCCCl,\n"
    other = "smiles,z\nc1ccccc1,9\nOCC,4\nCCC,2\nClCC,7\n"
    ingested(resources, one, name="one")
    ingested(resources, other, name="other")
    found = compare(
        api,
        predicted={"dataset": "one", "column": "y"},
        reference={"dataset": "other", "column": "z"},
    )
    assert found["matched"] == {
        "by": "structure",
        "both": 3,
        "only_predicted": 1,
        "only_reference": 1,
        "examples": {"only_predicted": ["CCN"], "only_reference": ["c1ccccc1"]},
    }
    summary = found["properties"]["z"]
    assert (summary["n"], summary["mae"], summary["bias"]) == (2, 1.5, -1.5)
    assert summary["missing"] == {"predicted": 1}
    assert found["notes"] == ["no unit is known: both columns were taken to be in one"]


def test_replicates_kept_apart_are_compared_by_their_mean(api, worker, resources):
    ingested(resources, "smiles,y\nCCO,1\nOCC,3\nCCC,5\n", name="apart", duplicates="keep_all")
    ingested(resources, "smiles,z\nCCO,2\nCCC,5\n", name="plain")
    found = compare(
        api,
        predicted={"dataset": "apart", "column": "y"},
        reference={"dataset": "plain", "column": "z"},
    )
    assert found["properties"]["z"] | {"mae": 0.0, "n": 2} == found["properties"]["z"]


def test_what_cannot_be_compared_says_why(api, worker, resources):
    ingested(resources, "smiles,y,kind\nCCO,1,a\nCCC,2,b\nCCN,4,a\n", name="mols")
    ingested(resources, "smiles,z\nc1ccccc1,9\nc1ccncc1,4\n", name="rings")
    ingested(resources, "a,b\n1,2\n2,3\n3,4\n", name="plain", kind="table", roles={"b": "target"})
    y = {"dataset": "mols", "column": "y"}
    for other, words in (
        ({"dataset": "rings", "column": "z"}, "no structure of mols:1 is in rings:1"),
        ({"dataset": "plain", "column": "b"}, "nothing tells which row"),
        ({"dataset": "mols", "column": "yy"}, "no column 'yy'"),
        ({"dataset": "mols", "column": "kind"}, "no numbers in a column 'kind'"),
    ):
        assert words in compare(api, 422, predicted=y, reference=other)["detail"]
    missing = compare(api, 404, predicted=y, reference={"dataset": "mol", "column": "y"})
    assert "mols" in missing["remedy"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"items": []},
        {"predicted": CALC},
        {"items": [{"predicted": {"x": 1}, "reference": {"x": 2}}], "predicted": CALC},
        {"predicted": CALC, "reference": {"dataset": "freesolv"}},
        {"predicted": CALC, "reference": CALC | {"model": "m"}},
        {"predicted": CALC, "reference": EXPT, "tolerance": 0},
        {"predicted": CALC, "reference": EXPT, "units": {"expt": "eV"}},
        {"items": [{"predicted": {"x": "1"}, "reference": {"x": 2}}], "tolerances": {"x": -1}},
    ],
    ids=str,
)
def test_a_wrong_request_is_refused_before_anything_is_read(api, nobody, body):
    assert compare(api, 422, **body)["code"]
