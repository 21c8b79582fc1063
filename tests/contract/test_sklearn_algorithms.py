"""Plug-ins around one scikit-learn estimator give what it gives on the same columns."""

import numpy as np
import pytest
from sklearn import linear_model
from sklearn.ensemble import AdaBoostRegressor, ExtraTreesRegressor
from sklearn.kernel_ridge import KernelRidge
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from app.algorithms.base import Examples, FitContext, LearningTask, algorithms

RNG = np.random.default_rng(3)
X = RNG.normal(size=(150, 8)).astype(np.float32)
Y = 3 * X[:, 0] - X[:, 1] + RNG.normal(scale=0.3, size=150)
BITS = (RNG.random((150, 12)) < 0.4).astype(np.uint8)
LABELS = (BITS[:, 0] | BITS[:, 1]).astype(float)
REGRESSION = LearningTask(type="regression", targets=("y",))
BINARY = LearningTask(type="binary", targets=("y",), classes=(("no", "yes"),))
SCALED = StandardScaler().fit_transform(X)


def fit(name, values, columns=X, y=Y, task=REGRESSION):
    algorithm = algorithms.get(name).from_values(values)
    return algorithm.fit(task, Examples(X=columns, y=y[:, None]), None, FitContext(seed=5))


def test_extra_trees():
    found = fit("extra_trees", {"n_estimators": 20}).predict(X)
    expected = ExtraTreesRegressor(20, max_features=1 / 3, random_state=5).fit(X, Y)
    np.testing.assert_allclose(found.values[:, 0], expected.predict(X))
    spread = np.std([tree.predict(X) for tree in expected.estimators_], axis=0)
    np.testing.assert_allclose(found.std[:, 0], spread, atol=1e-6)


@pytest.mark.parametrize("unit", [1.0, 1e6], ids=["mM", "nM"])
@pytest.mark.parametrize("name", ["lasso", "elastic_net"])
def test_penalties_count_in_standard_deviations_of_the_target(name, unit):
    y = Y * unit
    found = fit(name, {"alpha": 0.05}, y=y)
    estimator = {"lasso": linear_model.Lasso, "elastic_net": linear_model.ElasticNet}[name]
    expected = estimator(alpha=0.05, tol=1e-5).fit(SCALED, y / y.std())
    np.testing.assert_allclose(
        found.predict(X).values[:, 0] / y.std(), expected.predict(SCALED), atol=1e-3
    )
    np.testing.assert_array_equal(found.importances()["y"] > 0, expected.coef_ != 0)


def test_kernel_ridge_has_an_intercept():
    y = Y + 100
    found = fit("kernel_ridge", {"alpha": 0.5, "gamma": 0.05}, y=y).predict(X)
    expected = KernelRidge(alpha=0.5, gamma=0.05, kernel="rbf").fit(SCALED, y - y.mean())
    np.testing.assert_allclose(found.values[:, 0], expected.predict(SCALED) + y.mean(), rtol=1e-4)


def test_ada_boost():
    found = fit("ada_boost", {"n_estimators": 10, "max_depth": 3, "max_features": None})
    tree = DecisionTreeRegressor(max_depth=3)
    expected = AdaBoostRegressor(tree, n_estimators=10, random_state=5).fit(SCALED, Y)
    agreement = np.corrcoef(found.predict(X).values[:, 0], expected.predict(SCALED))[0, 1]
    assert agreement > 0.999  # scaled in float32, so that few splits differ


def test_naive_bayes_of_bits_is_bernoullis():
    found = fit("naive_bayes", {}, BITS, LABELS, BINARY).predict(BITS)
    expected = BernoulliNB().fit(BITS, LABELS).predict_proba(BITS)
    np.testing.assert_allclose(found.probabilities[0], expected, atol=1e-9)


def test_naive_bayes_of_measured_columns_is_gausss():
    y = (Y > 0).astype(float)
    found = fit("naive_bayes", {}, X, y, BINARY).predict(X)
    expected = GaussianNB().fit(SCALED, y).predict_proba(SCALED)
    np.testing.assert_allclose(found.probabilities[0], expected, atol=1e-4)
