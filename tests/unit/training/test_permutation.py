"""What is lost by shuffling: the figures of a loop by hand and, nearly, of scikit-learn's."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score, root_mean_squared_error

from app.algorithms.base import LearningTask, Predictions, algorithms
from app.core.work import SilentContext
from app.metrics.base import metrics
from app.training import importance
from app.training.importance import measured_importance
from app.training.permutation import shuffled, single_features

RNG = np.random.default_rng(4)
X = RNG.normal(size=(200, 5))
Y = X @ [3.0, 2.0, 0.0, 1.0, 0.0] + 0.5 * RNG.normal(size=200)
MODEL = LinearRegression().fit(X[:100], Y[:100])
GROUPS = {"a": np.array([0, 1]), "b": np.array([3]), "c": np.array([2, 4])}


def predict(X):
    return Predictions(values=MODEL.predict(X)[:, None])


def measure(**options):
    asked = {"rows": 100, "shuffles": 3, "seed": 7} | options
    rmse = metrics.get("rmse")()
    return shuffled(predict, X[100:], Y[100:, None], GROUPS, rmse, SilentContext(), **asked)


def test_columns_of_a_group_are_shuffled_together():
    found = measure()
    rng = np.random.default_rng(7)
    rows = np.sort(rng.permutation(100))
    held, y = X[100:][rows], Y[100:][rows]
    whole = root_mean_squared_error(y, MODEL.predict(held))
    assert found.whole == pytest.approx([whole])
    for number, columns in enumerate(GROUPS.values()):
        for turn in range(3):
            other = held.copy()
            other[:, columns] = held[rng.permutation(100)][:, columns]
            expected = root_mean_squared_error(y, MODEL.predict(other)) - whole
            assert found.losses[turn, number, 0] == pytest.approx(expected)


def test_of_single_columns_it_is_near_to_what_scikit_learn_finds():
    groups = single_features(list("abcde"), X, Y[:, None], 5)
    rmse = metrics.get("rmse")()
    asked = {"rows": 100, "shuffles": 200, "seed": 0}
    found = shuffled(predict, X[100:], Y[100:, None], groups, rmse, SilentContext(), **asked)
    expected = permutation_importance(
        MODEL,
        X[100:],
        Y[100:],
        scoring="neg_root_mean_squared_error",
        n_repeats=200,
        random_state=0,
    )
    np.testing.assert_allclose(
        found.losses.mean(axis=0)[:, 0], expected.importances_mean, atol=0.03
    )
    spread = found.losses.std(axis=0)[:, 0]
    np.testing.assert_allclose(spread, expected.importances_std, rtol=0.3, atol=5e-3)


def test_a_score_is_lost_where_an_error_rises_and_missing_labels_are_left_out():
    y = np.column_stack([Y > 0, Y > 1]).astype(float)
    y[:50, 1] = np.nan

    def classes(X):
        p = 1 / (1 + np.exp(-MODEL.predict(X)))
        each = np.column_stack([1 - p, p])
        return Predictions(values=np.zeros((len(X), 2)), probabilities=[each, each])

    roc_auc = metrics.get("roc_auc")()
    asked = {"rows": 200, "shuffles": 1, "seed": 0}
    found = shuffled(classes, X, y, GROUPS, roc_auc, SilentContext(), **asked)
    assert found.whole[1] == pytest.approx(roc_auc_score(y[50:, 1], MODEL.predict(X[50:])))
    assert found.losses[0, 0, 0] > 0.2 > abs(found.losses[0, 2, 0])


def test_at_most_so_many_rows_are_drawn_by_the_seed():
    first, again, other = measure(rows=40), measure(rows=40), measure(rows=40, seed=8)
    assert first.n == 40
    np.testing.assert_array_equal(first.losses, again.losses)
    assert not np.array_equal(first.losses, other.losses)


# ---- how much of it a training does


class Counting:
    """A model without importances; counts the rows that it predicts."""

    def __init__(self, widths, columns=()):
        featurizers = [SimpleNamespace(name=name, width=width) for name, width in widths]
        self.manifest = SimpleNamespace(
            learning_task=LearningTask(type="regression", targets=("y",))
        )
        width = sum(width for _, width in widths)
        self.features = SimpleNamespace(
            sources=[f"f{n}" for n in range(width)] + list(columns),
            feature_set=SimpleNamespace(featurizers=featurizers, width=width),
        )
        self.fitted = object()
        self.predicted = 0

    def predict_matrix(self, X):
        self.predicted += len(X)
        return Predictions(values=X[:, [0]].astype(float))


def measured(model, n=400, learned=1_000, compares_rows=False):
    X = np.random.default_rng(0).normal(size=(n, len(model.features.sources)))
    options = {"learned": learned, "compares_rows": compares_rows, "seed": 0}
    return measured_importance(model, X, X[:, [0]] + 0.1, SilentContext(), **options)


def test_few_features_by_themselves_many_as_blocks():
    few = measured(Counting([("physchem", 8)], ["dose"]))
    assert not few["blocks"]
    assert len(few["targets"]["y"]["losses"]) == few["of"] == 9
    many = measured(Counting([("morgan_counts", 64), ("morgan_counts", 32)], ["dose", "dose"]))
    assert many["blocks"]
    losses = many["targets"]["y"]["losses"]
    columns = {one["name"]: one["columns"] for one in losses}
    assert columns == {"morgan_counts": 64, "morgan_counts (2)": 32, "dose": 2}
    assert losses[0]["name"] == "morgan_counts"
    assert losses[0]["loss"] == pytest.approx(np.sqrt(2.01) - 0.1, rel=0.1)
    assert [one["loss"] for one in losses[1:]] == [0, 0]
    wide = measured(Counting([], [f"c{n}" for n in range(50)]))
    assert len(wide["targets"]["y"]["losses"]) == 30 < wide["of"] == 50


def test_one_that_compares_with_its_training_rows_predicts_no_more_than_it_learned():
    model = Counting([("morgan_counts", 2_000), ("erg", 500), ("avalon_counts", 500)])
    assert measured(model)["rows"] == 300
    assert model.predicted == 300 * (1 + 3 * 3)
    dear = Counting([("morgan_counts", 2_000), ("erg", 500), ("avalon_counts", 500)])
    found = measured(dear, learned=2_000, compares_rows=True)
    assert found["rows"] == 2_000 // 9
    assert dear.predicted <= 2_000 + found["rows"]


def test_which_algorithms_do_so():
    """All that keep their training rows; an average of others and one of them does too."""
    kernels = {"svm", "k_neighbors", "gaussian_process", "kernel_ridge"}
    assert {cls.name for cls in algorithms if cls.compares_rows} == kernels
    consensus = algorithms.get("consensus")
    members = [{"name": "ridge"}, {"name": "svm"}]
    assert consensus.from_values({"members": members}).compares_rows
    assert not consensus.from_values({"members": members[:1]}).compares_rows


def test_why_nothing_was_measured_is_said(monkeypatch):
    assert measured(Counting([("erg", 50)]), n=20)["why"] == "20 test rows are too few"
    monkeypatch.setattr(importance, "_CHEAP", 0)
    found = measured(Counting([("erg", 5)]), learned=100, compares_rows=True)
    assert found["method"] == "none"
    assert "compared with 100 rows" in found["why"]


def test_a_model_with_importances_is_not_asked():
    model = Counting([("erg", 5)])
    model.fitted = SimpleNamespace(importances=lambda: {"y": np.ones(5) / 5})
    assert measured(model) is None
    model.fitted = SimpleNamespace(importances=dict)
    assert measured(model)["method"] == "permutation"
