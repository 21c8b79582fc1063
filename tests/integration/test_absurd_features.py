"""A whole training over features that hold everything that can be wrong with a number."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from app.algorithms.cleaning import Cleaning
from app.algorithms.scaling import Scaling
from app.datasets.records import load_dataset
from app.models.bundle import ModelBundle
from app.prediction import interactive
from app.training import service as training
from app.training.params import TrainParams
from tests.support.datasets import ingested, job_context

ROWS = 240


def table():
    """y follows x; `ipc` spans 40 orders of magnitude, `holes` has gaps, `same` is constant."""
    rng = np.random.default_rng(0)
    lines = ["x,ipc,holes,same,y"]
    for row in range(ROWS):
        x = rng.uniform(0, 10)
        ipc = "1e40" if row % 60 == 7 else f"{rng.lognormal(3, 3):.4g}"
        holes = "" if row % 9 == 0 else f"{rng.normal():.3f}"
        lines.append(f"{x:.3f},{ipc},{holes},5,{2 * x + rng.normal(0, 0.1):.3f}")
    return "\n".join(lines) + "\n"


@pytest.mark.req("S4-12")
@pytest.mark.parametrize(
    ("algorithm", "rule"),
    [({"name": "lightgbm"}, Cleaning), ({"name": "ridge", "params": {"alpha": 0.1}}, Scaling)],
)
def test_training_rows_alone_decide_what_is_absurd(resources, monkeypatch, algorithm, rule):
    """Every fit of the rule, in folds and in the end, has seen no test row; the model is good."""
    dataset_id, _ = ingested(resources, table(), name="odd", roles={"y": "target"})
    seen = []
    fit = rule.fit.__func__

    def watched(cls, X):
        seen.append(set(X[:, 0].tolist()))
        return fit(cls, X)

    monkeypatch.setattr(rule, "fit", classmethod(watched))
    params = TrainParams(dataset="odd", dataset_id=dataset_id, bootstrap=0, algorithm=algorithm)
    outcome = training.run(resources, job_context(resources, "train"), params)
    with resources.database.session() as session:
        result = outcome.result | outcome.commit(session)
    bundle = ModelBundle.load(resources.storage, f"models/{result['model_id']}/manifest.json")
    assert bundle.features.columns[0] == "x"
    tested = {float(np.float32(x)) for x in x_of_test_rows(resources, result, dataset_id)}
    assert seen
    assert len(tested) == ROWS // 10
    assert not any(rows & tested for rows in seen)
    assert result["metrics"]["test"]["y"]["r2"]["value"] > 0.95
    row = {"x": 5.0, "ipc": 1e40, "holes": None, "same": 5}
    payload = {"model_id": result["model_id"], "inputs": [{"features": row}]}
    (found,) = interactive.answer(resources, payload)["predictions"]
    assert found["targets"]["y"]["value"] == pytest.approx(10, abs=1.5)


def x_of_test_rows(resources, result, dataset_id):
    path = resources.storage.local_path(f"models/{result['model_id']}/predictions.parquet")
    stored = pq.read_table(path).to_pylist()
    rows = {entry["row"] for entry in stored if entry["part"] == "test"}
    dataset = load_dataset(resources, dataset_id)
    pairs = zip(dataset.rows, dataset.values("x"), strict=True)
    return [x for row, x in pairs if row in rows]
