"""A column of weights, from the file to the fit."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from app.models.bundle import ModelBundle
from app.training import service as training
from app.training.params import TrainParams
from tests.support.datasets import ingested, job_context

RNG = np.random.default_rng(0)
N = 120
A, B, W = RNG.normal(size=N).round(6), RNG.normal(size=N).round(6), RNG.random(N).round(3)
Y = (A + 3 * W * B).round(6)  # a slope that depends on which rows count
LINES = [f"{a},{b},{w},{y}" for a, b, w, y in zip(A, B, W, Y, strict=True)]
ROLES = {"y": "target", "w": "weight"}


def file_of(lines):
    return "\n".join(["a,b,w,y", *lines])


def train(resources, dataset_id, *, calibration="auto", **algorithm):
    params = TrainParams(
        dataset="weighted",
        dataset_id=dataset_id,
        algorithm=algorithm,
        calibration=calibration,
        bootstrap=0,
    )
    context = job_context(resources, "train")
    outcome = training.run(resources, context, params)
    folder = f"models/{outcome.result['model_id']}"
    bundle = ModelBundle.load(resources.storage, f"{folder}/manifest.json")
    stored = pq.read_table(resources.storage.local_path(f"{folder}/predictions.parquet"))
    tested = [row["row"] - 1 for row in stored.to_pylist() if row["part"] == "test"]
    return bundle, np.setdiff1d(np.arange(N), tested), context.warnings


@pytest.mark.req("goal-27")
def test_weights_reach_the_fit_and_are_no_feature(resources):
    dataset_id, _ = ingested(resources, file_of(LINES), name="weighted", roles=ROLES)
    bundle, rows, warnings = train(resources, dataset_id, name="ridge", params={"alpha": 1.0})
    assert [column["name"] for column in bundle.manifest.columns] == ["a", "b"]
    assert "weights_ignored" not in [code for code, _ in warnings]
    X = np.column_stack([A, B])
    scaler = StandardScaler().fit(X[rows])
    asked = np.array([[0.0, 2.0]])
    weighted, plain = (
        Ridge(alpha=1.0).fit(scaler.transform(X[rows]), Y[rows], sample_weight=weights)
        for weights in (W[rows], None)
    )
    found = predicted(bundle, asked)
    assert found == pytest.approx(weighted.predict(scaler.transform(asked))[0], abs=0.02)
    assert abs(found - plain.predict(scaler.transform(asked))[0]) > 0.1


def predicted(bundle, asked):
    cells = [{"a": float(a), "b": float(b)} for a, b in asked]
    return bundle.predict_rows(cells).predictions.values[0, 0]


def test_an_algorithm_that_cannot_use_weights_says_so(resources):
    dataset_id, _ = ingested(resources, file_of(LINES[:60]), name="weighted", roles=ROLES)
    _, _, warnings = train(resources, dataset_id, name="gaussian_process")
    told = [detail for code, detail in warnings if code == "weights_ignored"]
    assert told == ["gaussian_process cannot use weights: all rows counted the same"]


def test_who_has_no_rows_to_stop_by_says_so(resources):
    dataset_id, _ = ingested(resources, file_of(LINES), name="weighted", roles=ROLES)
    stops = {"name": "lightgbm", "params": {"n_estimators": 20, "early_stopping_rounds": 2}}
    for calibration, algorithm, warned in (
        ("cross", stops, True),
        ("split", stops, False),
        ("cross", {"name": "lightgbm", "params": {"n_estimators": 20}}, False),
    ):
        _, _, warnings = train(resources, dataset_id, calibration=calibration, **algorithm)
        assert ("never_stopped_early" in dict(warnings)) == warned, (calibration, algorithm)


def test_rows_without_a_weight_are_refused_by_number(resources):
    lines = ["1,2,-0.5,3", "2,3,,4", "3,4,heavy,5", *LINES[:20]]
    dataset_id, _ = ingested(resources, file_of(lines), name="weighted", roles=ROLES)
    stored = resources.storage
    key = next(k for k in stored.list(f"datasets/{dataset_id}") if k.endswith("rejected.csv"))
    refused = stored.read(key).decode().splitlines()[1:]
    assert [line.split(",")[0] for line in refused] == ["1", "2", "3"]
    assert "w is a weight, which is 0 or more, not '-0.5'" in refused[0]
