"""The rule for constant, missing, infinite and absurd features, learned from training rows."""

import numpy as np
import pytest

from app.algorithms.base import Examples, FitContext, LearningTask, algorithms
from app.algorithms.cleaning import Cleaning
from app.algorithms.per_target import PerTargetAlgorithm
from app.algorithms.scaling import Scaling

REGRESSION = LearningTask(type="regression", targets=("y",))
#: few columns and few rounds: each round sees all columns
QUICK = {
    "ada_boost": {"n_estimators": 10},
    "extra_trees": {"n_estimators": 20},
    "random_forest": {"n_estimators": 20},
    "catboost": {"iterations": 60, "learning_rate": 0.3, "rsm": 1.0},
    "xgboost": {"n_estimators": 60, "learning_rate": 0.3, "colsample_bytree": 1.0},
}
QUICK["consensus"] = {"members": [{"name": n, "params": QUICK[n]} for n in ("xgboost", "catboost")]}
EACH = pytest.mark.parametrize(
    "name",
    [
        cls.name
        for cls in algorithms
        if "regression" in cls.tasks
        and cls.unavailable() is None
        and (issubclass(cls, PerTargetAlgorithm) or cls.name == "consensus")
    ],
)
#: columns of `features`
USEFUL, CONSTANT, NEVER, INFINITE, IPC, HOLES = range(6)


def features(n, seed):
    """Like descriptors: one that matters, and all that goes wrong with them. The absurd column is
    `Ipc`: a few large molecules reach what float32 can just hold.
    """
    rng = np.random.default_rng(seed)
    X = np.zeros((n, 6), dtype=np.float32)
    X[:, USEFUL] = rng.uniform(10, 20, n)
    X[:, CONSTANT] = 7
    X[:, NEVER] = np.nan
    X[:, INFINITE] = np.where(rng.random(n) < 0.1, np.inf, rng.normal(size=n))
    X[:, IPC] = np.where(rng.random(n) < 0.002, 3e38, rng.lognormal(size=n))
    X[:, HOLES] = np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n))
    return X


def fitted(name, X):
    algorithm = algorithms.get(name).from_values(QUICK.get(name, {}))
    y = X[:, [USEFUL]].astype(float)
    return algorithm.fit(REGRESSION, Examples(X=X, y=y), None, FitContext(seed=1))


def test_the_rule_for_trees_by_hand():
    X = np.array([[1, 5, np.nan, np.inf, 0], [3, 5, np.nan, 2, 0], [9, 5, np.nan, 4, 0]])
    X = np.vstack([X, X[:1]]).astype(np.float32)
    X[:, 4] = [1, 2, 3, 1e30]
    cleaning = Cleaning.fit(X)
    np.testing.assert_array_equal(cleaning.fill, np.float32([2, 5, 0, np.nan, 2.5]))
    assert cleaning.high[4] == 3, "the next to the extreme: 4 rows have no 99.5 percentile"
    assert np.isinf(cleaning.high[:4]).all()
    new = np.array([[np.nan, np.inf, 8, -np.inf, 2e38], [4, 6, np.nan, 1, -1e38]], np.float32)
    expected = [[2, 5, 8, np.nan, 3], [4, 6, 0, 1, 2]]
    np.testing.assert_array_equal(cleaning.transform(new), np.float32(expected))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
def test_scaled_numbers_are_those_of_the_rule_for_any_type(dtype):
    rng = np.random.default_rng(5)
    X = rng.integers(0, 50, (300, 6)).astype(dtype)
    X[:, 2], X[7, 3] = 1, 200
    scaling = Scaling.fit(X)
    new = rng.integers(0, 90, (40, 6)).astype(dtype)
    if new.dtype.kind == "f":
        new[0], new[1], new[2] = np.nan, np.inf, -np.inf
    values = new.astype(np.float32)
    values = np.where(np.isfinite(values)[:, scaling.kept], values[:, scaling.kept], scaling.median)
    values = np.clip(values, scaling.low, scaling.high)
    expected = np.clip((values - scaling.mean) / scaling.scale, -10, 10).astype(np.float32)
    np.testing.assert_array_equal(scaling.transform(new), expected, strict=True)


def test_what_needs_nothing_is_not_copied():
    bits = np.zeros((4, 3), dtype=np.uint8)
    assert Cleaning.fit(bits) is None
    X = np.array([[1.0, np.nan], [2.0, 3.0]], dtype=np.float32)
    assert Cleaning.fit(X).transform(X) is X


def test_bounds_are_the_percentiles_of_many_rows():
    values = np.random.default_rng(0).normal(size=(20_000, 1)).astype(np.float32)
    scaled = (values * 1e20).astype(np.float32)
    cleaning = Cleaning.fit(scaled)
    low, high = np.percentile(scaled, [0.5, 99.5])
    assert cleaning.low[0] == pytest.approx(low, rel=0.01)
    assert cleaning.high[0] == pytest.approx(high, rel=0.01)


def test_one_absurd_value_does_not_hide_the_others_from_a_scaled_algorithm():
    X = np.linspace(0, 1, 100, dtype=np.float32)[:, None]
    X[50] = 3e38
    scaled = Scaling.fit(X).transform(X)[:, 0]
    assert np.ptp(np.delete(scaled, 50)) > 3
    assert np.isfinite(scaled).all()


def test_scaled_values_are_those_of_the_stated_steps():
    X = np.random.default_rng(2).normal(3, 5, size=(400, 4)).astype(np.float32)
    X[:, 1], X[:5, 2], X[7, 3], X[8, 3] = 1.0, np.nan, 3e7, np.inf
    before = X.copy()
    found = Scaling.fit(X).transform(X)
    np.testing.assert_array_equal(X, before)
    kept = np.where(np.isfinite(X[:, [0, 2, 3]]), X[:, [0, 2, 3]], np.nan).astype(np.float64)
    kept = np.where(np.isnan(kept), np.nanmedian(kept, axis=0), kept)
    kept[7, 2] = np.sort(kept[:, 2])[-2]
    kept[:, 2] = np.clip(kept[:, 2], *np.sort(kept[:, 2])[[2, -3]])
    expected = (kept - kept.mean(axis=0)) / kept.std(axis=0)
    np.testing.assert_allclose(found, np.clip(expected, -10, 10), rtol=1e-4, atol=1e-5)


@EACH
@pytest.mark.req("S4-12")
def test_training_rows_alone_decide_and_no_row_disturbs_another(name, tmp_path):
    """Rows to predict may hold anything: it changes neither the model nor other rows."""
    X, new = features(1_000, seed=0), features(50, seed=1)
    new[:, IPC] = 1.0
    model = fitted(name, X)
    model.save(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    plain = model.predict(new).values
    broken = new.copy()
    broken[:10, [CONSTANT, NEVER, INFINITE, IPC, HOLES]] = [np.inf, 3e38, -np.inf, 3e38, np.inf]
    found = model.predict(broken).values
    np.testing.assert_allclose(found[10:], plain[10:], rtol=1e-6)
    assert np.isfinite(found).all()
    again = tmp_path / "again"
    again.mkdir()
    model.save(again)
    after = {path.name: path.read_bytes() for path in again.rglob("*") if path.is_file()}
    assert before == after


@EACH
def test_the_useful_column_is_found_among_broken_ones(name):
    X, new = features(1_000, seed=0), features(200, seed=1)
    found = fitted(name, X).predict(new).values[:, 0]
    assert np.corrcoef(found, new[:, USEFUL])[0, 1] > 0.95


@EACH
@pytest.mark.req("F-08")
def test_a_value_that_no_training_row_lacked_is_not_taken_for_zero(name):
    """y is the column itself, from 10 to 20: without it the middle is the honest answer."""
    model = fitted(name, features(1_000, seed=0))
    new = features(1, seed=1)
    new[0, USEFUL] = np.nan
    assert model.predict(new).values[0, 0] == pytest.approx(15, abs=2)


@EACH
def test_what_was_learned_is_stored(name, tmp_path):
    X = features(1_000, seed=0)
    model = fitted(name, X)
    model.save(tmp_path)
    X[:, USEFUL] = np.nan
    loaded = algorithms.get(name).load(tmp_path, REGRESSION)
    np.testing.assert_allclose(loaded.predict(X).values, model.predict(X).values, rtol=1e-12)
