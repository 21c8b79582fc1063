"""Every algorithm: its graph says the same on onnxruntime, or the export says why there is none."""

import numpy as np
import pytest

from app.algorithms.base import LearningTask, Predictions, algorithms
from app.core.errors import InvalidInput
from app.exporting.equality import TOLERANCE, difference
from app.exporting.onnx.estimators import NOT_POSSIBLE
from app.exporting.onnx.writing import run_onnx, write_onnx
from app.exporting.probe import ProbeRow, probe_matrix
from tests.support.bundles import MOLECULES, bundle_of

SMALL = {
    "random_forest": {"n_estimators": 15},
    "extra_trees": {"n_estimators": 15},
    "gradient_boosting": {"n_estimators": 15},
    "hist_gradient_boosting": {"max_iter": 15},
    "ada_boost": {"n_estimators": 15},
    "lightgbm": {"n_estimators": 25},
    "xgboost": {"n_estimators": 25},
    "catboost": {"iterations": 25},
    "mlp": {"hidden_sizes": [16, 8], "max_epochs": 3},
    "consensus": {
        "members": [
            {"name": "lightgbm", "params": {"n_estimators": 20}},
            {"name": "catboost", "params": {"iterations": 20}},
        ]
    },
}
TASKS = {
    "regression": LearningTask(type="regression", targets=("a", "b")),
    "binary": LearningTask(type="binary", targets=("a",), classes=(("no", "yes"),)),
    "multiclass": LearningTask(type="multiclass", targets=("a",), classes=(("x", "y", "z"),)),
}
CASES = [
    (algorithm.name, task)
    for algorithm in algorithms
    for task in TASKS
    if task in algorithm.tasks and not algorithm.name.startswith("probe")
]


#: ONNX computes their log-likelihoods in single precision, which may be too little
IMPRECISE = {"naive_bayes"}


def rows(n):
    return [ProbeRow(smiles=smiles) for smiles in MOLECULES[:n]]


@pytest.mark.req("goal-64", "S1-37")
@pytest.mark.parametrize(("name", "task"), CASES)
def test_the_graph_says_what_the_model_says(name, task, tmp_path):
    pytest.importorskip(name) if name in ("lightgbm", "xgboost", "catboost") else None
    bundle = bundle_of(name, TASKS[task], SMALL.get(name, {}), held=task != "regression")
    X = probe_matrix(bundle, rows(60))
    path = tmp_path / "model.onnx"
    if name in NOT_POSSIBLE:
        with pytest.raises(InvalidInput, match=NOT_POSSIBLE[name].split("(")[0][:40]) as refused:
            write_onnx(bundle, X, path)
        assert refused.value.problem()["code"] == "export_not_possible"
        assert not path.exists()
        return
    measured = written(bundle, X, path, may_refuse=name in IMPRECISE)
    if measured is None:
        assert not path.exists()
        return
    assert measured["compared_rows"] == len(X) == 60
    odd = X.astype(np.float32)
    odd[::7] = np.nan
    odd[1::7] = np.inf
    said, found = bundle.predict_matrix(odd), run_onnx(path.read_bytes(), odd)
    assert difference(said, found) <= TOLERANCE


def written(bundle, X, path, *, may_refuse):
    """None where the graph was measured, found too imprecise, and refused."""
    try:
        return write_onnx(bundle, X, path)
    except InvalidInput as refused:
        if may_refuse and "predicts otherwise" in str(refused):
            return None
        raise


def test_a_class_that_training_lacked_has_probability_nought(tmp_path):
    task = LearningTask(type="multiclass", targets=("a",), classes=(("w", "x", "y", "z"),))
    bundle = bundle_of("random_forest", task, SMALL["random_forest"], classes=(0, 1, 3))
    X = probe_matrix(bundle, rows(40))
    write_onnx(bundle, X, tmp_path / "model.onnx")
    (found,) = run_onnx((tmp_path / "model.onnx").read_bytes(), X).probabilities
    assert found.shape == (40, 4)
    assert (found[:, 2] == 0).all()


def test_the_metadata_says_what_to_feed(tmp_path):
    import onnx

    bundle = bundle_of("ridge", TASKS["regression"], {}, held=False)
    X = probe_matrix(bundle, rows(10))
    write_onnx(bundle, X, tmp_path / "model.onnx")
    facts = {p.key: p.value for p in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert facts["retort.feature_set_key"] == bundle.manifest.feature_set_key
    assert "maccs" in facts["retort.featurizers"]
    assert "before any scaling" in facts["retort.input"]


def test_a_graph_that_says_otherwise_is_refused(tmp_path, monkeypatch):
    bundle = bundle_of("ridge", TASKS["regression"], {}, held=False)
    X = probe_matrix(bundle, rows(10))

    def wrong(data, X):
        found = run_onnx(data, X)
        return Predictions(values=found.values * (1 + 3e-4))

    monkeypatch.setattr("app.exporting.onnx.writing.run_onnx", wrong)
    with pytest.raises(InvalidInput, match="predicts otherwise"):
        write_onnx(bundle, X, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_difference_by_hand():
    expected = Predictions(values=np.array([[2.0], [-4.0], [0.0]]))
    found = Predictions(values=np.array([[2.002], [-4.0], [0.001]]))
    # mean size 2: 0.002 / 2, 0.001 / 2
    assert difference(expected, found) == pytest.approx(0.001)
    assert difference(expected, Predictions(values=expected.values * np.nan)) == np.inf
    assert difference(expected, Predictions(values=expected.values[:2])) == np.inf
    p, q = np.array([[0.5, 0.5]]), np.array([[0.4, 0.6]])
    index = np.zeros((1, 1))
    one, other = (Predictions(values=index, probabilities=[each]) for each in (p, q))
    assert difference(one, other) == pytest.approx(0.1)


def test_the_molecules_are_enough():
    assert len(set(MOLECULES)) >= 80
