"""Every registered algorithm learns, repeats itself, survives storage, and knows its limits."""

import numpy as np
import optuna
import pytest
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from app.algorithms.base import Examples, FitContext, LearningTask, algorithms
from app.core.errors import InvalidInput, JobCancelled
from app.core.work import SilentContext

RNG = np.random.default_rng(1)
N, WIDTH = 400, 12
X = RNG.normal(size=(N, WIDTH)).astype(np.float32)
X[:, -1] = 7.0  # constant
SIGNAL = X[:, 0] + 0.8 * X[:, 1] - 0.5 * X[:, 2]
#: quick settings, where the defaults take seconds
QUICK = {
    "mlp": {"hidden_sizes": [32], "max_epochs": 40, "learning_rate": 5e-3},
    "lightgbm": {"n_estimators": 150, "colsample_bytree": 0.8},
    "random_forest": {"n_estimators": 60},
    "hist_gradient_boosting": {"max_iter": 80, "max_features": 1.0},
    "ridge": {"alpha": 1.0},
    "logistic_regression": {"C": 1.0},
}
REGRESSION = LearningTask(type="regression", targets=("y",))
BINARY = LearningTask(type="binary", targets=("y",), classes=(("no", "yes"),))
MULTI = LearningTask(type="multiclass", targets=("y",), classes=(("a", "b", "c"),))
Y = {
    "regression": SIGNAL + RNG.normal(scale=0.1, size=N),
    "binary": (SIGNAL > 0).astype(float),
    "multiclass": np.digitize(SIGNAL, [-0.6, 0.6]).astype(float),
}
TASKS = {"regression": REGRESSION, "binary": BINARY, "multiclass": MULTI}
CASES = [(n, t) for n in algorithms.names() for t in TASKS if t in algorithms.get(n).tasks]
EACH = pytest.mark.parametrize(("name", "kind"), CASES)


def fitted(name, task, y, *, context=None, rows=slice(0, 300)):
    algorithm = algorithms.get(name).from_values(QUICK.get(name, {}))
    y = y[:, None] if y.ndim == 1 else y
    validation = Examples(X=X[300:350], y=y[300:350])
    return algorithm.fit(
        task, Examples(X=X[rows], y=y[rows]), validation, context or FitContext(seed=5)
    )


@EACH
def test_it_learns(name, kind):
    found = fitted(name, TASKS[kind], Y[kind]).predict(X[350:])
    assert found.values.shape == (50, 1)
    assert found.values.dtype == np.float64
    truth = Y[kind][350:]
    if kind == "regression":
        assert r2_score(truth, found.values[:, 0]) > 0.7
        assert found.probabilities is None
    else:
        p = found.probabilities[0]
        np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-6)
        np.testing.assert_array_equal(found.values[:, 0], p.argmax(axis=1))
        score = p[:, 1] if kind == "binary" else p
        assert roc_auc_score(truth, score, multi_class="ovr") > 0.85


@EACH
def test_the_same_seed_gives_the_same_model(name, kind):
    first, second = (fitted(name, TASKS[kind], Y[kind]).predict(X[350:]) for _ in range(2))
    np.testing.assert_array_equal(first.values, second.values)


@EACH
def test_what_is_stored_predicts_the_same(name, kind, tmp_path):
    model = fitted(name, TASKS[kind], Y[kind])
    model.save(tmp_path)
    assert not list(tmp_path.glob("*.pkl"))
    loaded = algorithms.get(name).load(tmp_path, TASKS[kind])
    before, after = model.predict(X[350:]), loaded.predict(X[350:])
    np.testing.assert_allclose(after.values, before.values, rtol=1e-12)
    for a, b in zip(before.probabilities or [], after.probabilities or [], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@EACH
def test_many_targets_with_missing_labels(name, kind):
    y = np.column_stack([Y[kind], Y[kind], Y[kind]])
    y[: N // 2, 1] = np.nan
    y[::3, 2] = np.nan
    task = LearningTask(
        type=kind,
        targets=("a", "b", "c"),
        classes=TASKS[kind].classes * 3 if kind != "regression" else (),
    )
    found = fitted(name, task, y).predict(X[350:])
    assert found.values.shape == (50, 3)
    assert np.isfinite(found.values).all()
    for column in range(3):
        agreement = np.corrcoef(found.values[:, column], Y[kind][350:])[0, 1]
        assert agreement > 0.5, f"target {column}"


@EACH
def test_missing_infinite_and_absurd_features_are_survived(name, kind):
    broken = X.copy()
    broken[::7, 3] = np.nan
    broken[::11, 4] = np.inf
    broken[::13, 5] = 1e30
    algorithm = algorithms.get(name).from_values(QUICK.get(name, {}))
    if name in ("random_forest", "hist_gradient_boosting", "lightgbm"):
        broken[~np.isfinite(broken)] = np.nan  # featurizers give NaN, never infinity
    y = Y[kind][:, None]
    model = algorithm.fit(
        TASKS[kind],
        Examples(X=broken[:300], y=y[:300]),
        Examples(X=broken[300:350], y=y[300:350]),
        FitContext(seed=0),
    )
    assert np.isfinite(model.predict(broken[350:]).values).all()


@pytest.mark.parametrize("name", [n for n, k in CASES if k == "binary"])
def test_one_class_cannot_be_learned(name):
    with pytest.raises(InvalidInput, match="one class"):
        fitted(name, BINARY, np.zeros(N))


@pytest.mark.parametrize("name", algorithms.names())
def test_a_cancelled_job_stops_the_fit(name):
    kind = next(k for n, k in CASES if n == name)
    work = SilentContext()
    work.cancel = JobCancelled("stop")
    with pytest.raises(JobCancelled):
        fitted(name, TASKS[kind], Y[kind], context=FitContext(work=work))


@EACH
def test_every_suggestion_is_a_valid_parameter_set(name, kind):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(10):
        values = algorithms.get(name).suggest(study.ask(), TASKS[kind])
        algorithms.get(name).parse_params(values)


@pytest.mark.parametrize("name", algorithms.names())
def test_unknown_parameters_are_refused_by_name(name):
    with pytest.raises(InvalidInput) as refused:
        algorithms.get(name).from_values({"no_such_thing": 1})
    assert refused.value.errors[0]["pointer"] == "/no_such_thing"


def test_ridge_is_scikit_learns_on_scaled_columns():
    model = fitted("ridge", REGRESSION, Y["regression"])
    scaler = StandardScaler().fit(X[:300, :-1])
    expected = SklearnRidge(alpha=1.0).fit(scaler.transform(X[:300, :-1]), Y["regression"][:300])
    found = model.predict(X[350:]).values[:, 0]
    np.testing.assert_allclose(found, expected.predict(scaler.transform(X[350:, :-1])), atol=1e-4)


def test_the_forests_std_is_the_spread_of_its_trees():
    model = fitted("random_forest", REGRESSION, Y["regression"])
    trees = model._fitted[0].estimator.estimators_
    expected = np.std([tree.predict(X[350:]) for tree in trees], axis=0)
    np.testing.assert_allclose(model.predict(X[350:]).std[:, 0], expected, rtol=1e-6)


def test_a_target_of_one_class_beside_others_is_predicted_as_that_class():
    y = np.column_stack([Y["binary"], np.ones(N)])
    task = LearningTask(type="binary", targets=("a", "b"), classes=(("0", "1"),) * 2)
    assert (fitted("lightgbm", task, y).predict(X[350:]).probabilities[1][:, 1] == 1.0).all()
