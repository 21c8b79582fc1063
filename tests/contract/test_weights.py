"""Rows and classes that count more: one meaning for every algorithm; and when boosters stop."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from app.algorithms.base import Examples, FitContext, LearningTask, algorithms
from app.algorithms.imbalance import row_weights
from app.algorithms.per_target import Sample
from app.core.errors import InvalidInput

RNG = np.random.default_rng(6)
X = RNG.normal(size=(400, 4)).astype(np.float32)
SIGNAL = X[:, 0] + 0.7 * X[:, 1]
RARE = (SIGNAL + RNG.normal(scale=0.8, size=400) > 1.9).astype(float)
REGRESSION = LearningTask(type="regression", targets=("y",))
BINARY = LearningTask(type="binary", targets=("y",), classes=(("no", "yes"),))
QUICK = {
    "mlp": {"hidden_sizes": [16], "max_epochs": 25, "learning_rate": 1e-2},
    "gradient_boosting": {"n_estimators": 40},
    "ada_boost": {"n_estimators": 20, "max_depth": 2},
    "random_forest": {"n_estimators": 40},
    "extra_trees": {"n_estimators": 40, "min_samples_leaf": 4},
    "k_neighbors": {"n_neighbors": 15},
    "ridge": {"alpha": 1.0},
    "hist_gradient_boosting": {"max_iter": 60, "max_features": 1.0},
    "lightgbm": {"n_estimators": 100, "colsample_bytree": 1.0},
    "xgboost": {"n_estimators": 60, "colsample_bytree": 1.0},
    "catboost": {"iterations": 60, "rsm": 1.0},
    "consensus": {"members": [{"name": "ridge"}, {"name": "logistic_regression"}]},
}


def fit(name, task, y, *, weights=None, validation=None, columns=X, **values):
    algorithm = algorithms.get(name).from_values(QUICK.get(name, {}) | values)
    y = y[:, None] if y.ndim == 1 else y
    train = Examples(X=columns[: len(y)], y=y, weights=weights)
    return algorithm.fit(task, train, validation, FitContext(seed=1))


def files(model, folder):
    folder.mkdir()
    model.save(folder)
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


EACH = [n for n in algorithms.names() if n != "consensus"]
WEIGHED = [n for n in EACH if "class_weight" in algorithms.get(n).Params.model_fields]


@pytest.mark.req("goal-27")
@pytest.mark.parametrize("name", EACH)
def test_rows_without_weight_teach_nothing(name, tmp_path):
    """Half of the labels say the contrary, and count nothing."""
    cls = algorithms.get(name)
    numbers = "regression" in cls.tasks
    task = REGRESSION if numbers else BINARY
    truth = SIGNAL if numbers else (SIGNAL > 0).astype(float)
    wrong = np.arange(300) % 2 == 1
    y = np.where(wrong, -SIGNAL[:300] if numbers else 1 - truth[:300], truth[:300])
    weights = np.where(wrong, 0.0, 1.0)
    model = fit(name, task, y, weights=weights)
    if not cls.uses_weights:
        assert cls().ignoring_weights() == (name,)
        assert files(model, tmp_path / "a") == files(fit(name, task, y), tmp_path / "b")
        return
    found = model.predict(X[300:])
    if numbers:
        assert r2_score(truth[300:], found.values[:, 0]) > 0.35
    else:
        assert roc_auc_score(truth[300:], found.probabilities[0][:, 1]) > 0.85


@pytest.mark.req("goal-27")
@pytest.mark.parametrize("name", WEIGHED)
def test_a_class_that_counts_more_is_believed_more(name):
    plain, heavy = (
        fit(name, BINARY, RARE[:300], **values).predict(X[300:]).probabilities[0][:, 1].mean()
        for values in ({}, {"class_weight": {"yes": 30}})
    )
    assert heavy > 1.1 * plain


def test_balanced_is_scikit_learns():
    y = (SIGNAL > 1.2).astype(float)
    found = fit("logistic_regression", BINARY, y[:300], C=1.0, class_weight="balanced")
    scaler = StandardScaler().fit(X[:300])
    expected = LogisticRegression(C=1.0, class_weight="balanced").fit(
        scaler.transform(X[:300]), y[:300]
    )
    np.testing.assert_allclose(
        found.predict(X[300:]).probabilities[0],
        expected.predict_proba(scaler.transform(X[300:])),
        atol=1e-3,
    )


def test_weights_of_rows_are_scikit_learns():
    weights = RNG.random(300)
    found = fit("ridge", REGRESSION, SIGNAL[:300], weights=weights).predict(X[300:])
    scaler = StandardScaler().fit(X[:300])
    expected = Ridge(alpha=1.0).fit(scaler.transform(X[:300]), SIGNAL[:300], sample_weight=weights)
    np.testing.assert_allclose(
        found.values[:, 0], expected.predict(scaler.transform(X[300:])), atol=1e-4
    )


def test_weights_of_rows_and_classes_are_multiplied():
    sample = Sample(X=X[:4], y=np.array([0.0, 0, 0, 1]), weights=np.array([1.0, 2, 3, 4]))
    balanced = algorithms.get("lightgbm").parse_params({"class_weight": "balanced"})
    found = row_weights(balanced, sample, ("no", "yes"))
    np.testing.assert_allclose(found, [4 / 6, 8 / 6, 12 / 6, 4 * 4 / 2])
    named = algorithms.get("lightgbm").parse_params({"class_weight": {"yes": 5}})
    np.testing.assert_allclose(row_weights(named, sample, ("no", "yes")), [1, 2, 3, 20])


@pytest.mark.parametrize(
    "values",
    [{"balanced": True}, {"class_weight": "balanced"}],
)
def test_other_words_for_balanced_mean_the_same(values):
    assert algorithms.get("lightgbm").parse_params(values).class_weight == "balanced"


def test_scale_pos_weight_is_the_weight_of_the_second_class():
    params = algorithms.get("xgboost").parse_params({"scale_pos_weight": 7})
    sample = Sample(X=X[:3], y=np.array([0.0, 1, 1]))
    np.testing.assert_allclose(row_weights(params, sample, ("0", "1")), [1, 7, 7])


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"balanced": True, "scale_pos_weight": 3}, "give one"),
        ({"class_weight": "heavy"}, "balanced"),
        ({"class_weight": {"yes": -1}}, "greater than 0"),
    ],
)
def test_contradicting_weights_are_refused(values, why):
    with pytest.raises(InvalidInput) as refused:
        algorithms.get("catboost").from_values(values)
    assert why in " ".join(error["detail"] for error in refused.value.errors)


def test_a_class_that_there_is_not_is_named():
    with pytest.raises(InvalidInput, match="'ja'"):
        fit("lightgbm", BINARY, (SIGNAL > 0)[:300] * 1.0, class_weight={"ja": 2})


def test_weights_that_are_all_0_are_refused():
    with pytest.raises(InvalidInput, match="weight 0"):
        fit("ridge", REGRESSION, SIGNAL[:300], weights=np.zeros(300))


def test_a_consensus_names_the_members_that_ignore_weights():
    values = {"members": [{"name": "ridge"}, {"name": "gaussian_process"}]}
    assert algorithms.get("consensus").from_values(values).ignoring_weights() == (
        "gaussian_process",
    )
    assert algorithms.get("consensus").from_values({}).ignoring_weights() == ()


STOPPING = [n for n in EACH if "early_stopping_rounds" in algorithms.get(n).Params.model_fields]
KINDS = {
    "regression": (REGRESSION, SIGNAL + RNG.normal(scale=1.0, size=400)),
    "binary": (BINARY, (SIGNAL + RNG.normal(scale=1.0, size=400) > 0).astype(float)),
}


def test_all_boosters_for_many_columns_can_stop_early():
    assert {"lightgbm", "xgboost", "catboost", "hist_gradient_boosting"} == set(STOPPING)


@pytest.mark.req("S1-39", "goal-27")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", STOPPING)
def test_early_stopping_keeps_the_trees_that_helped(name, kind, tmp_path):
    task, y = KINDS[kind]
    validation = Examples(X=X[300:350], y=y[300:350, None])
    settings = {"learning_rate": 0.3, "validation": validation}
    whole = files(fit(name, task, y[:300], **settings), tmp_path / "whole")
    model = fit(name, task, y[:300], early_stopping_rounds=5, **settings)
    stopped = files(model, tmp_path / "stopped")
    assert sum(map(len, stopped.values())) < 0.7 * sum(map(len, whole.values()))
    loaded = algorithms.get(name).load(tmp_path / "stopped", task)
    np.testing.assert_array_equal(loaded.predict(X).values, model.predict(X).values)


@pytest.mark.parametrize("name", STOPPING)
def test_without_validation_rows_all_trees_are_fitted(name, tmp_path):
    assert algorithms.get(name).from_values({"early_stopping_rounds": 5}).needs_validation
    assert not algorithms.get(name).from_values({}).needs_validation
    task, y = KINDS["regression"]
    model = fit(name, task, y[:300], early_stopping_rounds=5)
    assert files(model, tmp_path / "a") == files(fit(name, task, y[:300]), tmp_path / "b")


def test_catboost_drops_the_trees_after_the_best():
    task, y = KINDS["regression"]
    validation = Examples(X=X[300:350], y=y[300:350, None])
    values = {"learning_rate": 0.3, "early_stopping_rounds": 5, "validation": validation}
    trees = fit("catboost", task, y[:300], **values)._fitted[0].estimator
    assert trees.tree_count_ == trees.get_best_iteration() + 1
