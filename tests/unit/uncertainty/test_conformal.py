"""Intervals: by hand, against crepes, and whether they cover what they say."""

import numpy as np
import pytest
from crepes import ConformalRegressor

from app.uncertainty import conformal
from app.uncertainty.expected_error import (
    ErrorModel,
    References,
    cross_fitted,
    error_features,
    ranked,
)
from app.uncertainty.nearest import Nearest


def test_by_hand():
    """n = 9 at 90 %: the ceil(10 * 0.9) = 9th smallest, the largest; n = 8: none."""
    errors = np.arange(1.0, 10.0)
    assert conformal.factor(errors, np.ones(9), 0.9) == 9.0
    assert conformal.factor(errors, np.full(9, 2.0), 0.9) == 4.5
    assert conformal.factor(errors[:8], np.ones(8), 0.9) is None


def test_as_crepes():
    rng = np.random.default_rng(1)
    expected = rng.uniform(0.5, 3, 400)
    errors = rng.normal(0, expected)
    ours = conformal.factor(np.abs(errors), expected, 0.9)
    theirs = ConformalRegressor().fit(errors, sigmas=expected)
    found = theirs.predict_int(np.zeros(5), sigmas=expected[:5], confidence=0.9)
    assert found[:, 1] == pytest.approx(ours * expected[:5], rel=1e-12)


def test_confidence_is_a_rank():
    grid = conformal.quantile_grid(np.linspace(1, 2, 1001))
    found = conformal.confidence(np.array([0.5, 1.0, 1.25, 1.5, 2.0, 9.0]), grid)
    assert found == pytest.approx([1.0, 1.0, 0.75, 0.5, 0.0, 0.0], abs=0.01)
    alike = conformal.quantile_grid(np.ones(50))
    assert conformal.confidence(np.ones(3), alike) == pytest.approx([0.5] * 3)
    assert np.isnan(conformal.confidence(np.ones(2), ())).all()


def _known(n, seed):
    """Errors whose size is a feature: what is learned must find it."""
    rng = np.random.default_rng(seed)
    hard = rng.uniform(0, 1, n)
    X = np.column_stack([hard, rng.normal(size=(n, 5))]).astype(np.float32)
    return X, hard, np.abs(rng.normal(0, 0.1 + 2 * hard))


@pytest.mark.req("goal-52")
def test_intervals_cover_and_are_wide_where_it_is_hard():
    X, _, errors = _known(1_500, 0)
    folds = np.arange(len(X)) % 5
    factor = conformal.factor(errors, cross_fitted(X, errors, folds), 0.9)
    unseen, hard, new_errors = _known(3_000, 1)
    expected = ErrorModel.fit(X, errors).predict(unseen)
    assert 0.87 <= (new_errors <= factor * expected).mean() <= 0.93
    assert expected[hard > 0.7].mean() > 3 * expected[hard < 0.1].mean()


def test_each_expected_error_is_of_a_model_that_did_not_see_it():
    X, _, errors = _known(300, 2)
    folds = np.arange(300) % 3
    found = cross_fitted(X, errors, folds)
    other = ErrorModel.fit(X[folds != 1], errors[folds != 1])
    assert found[folds == 1] == pytest.approx(other.predict(X[folds == 1]))
    assert not np.allclose(found, ErrorModel.fit(X, errors).predict(X))


def test_how_well_errors_are_ordered():
    errors = np.array([0.1, 5.0, 0.3, 0.2])
    assert ranked(np.array([1.0, 4.0, 3.0, 2.0]), errors) == pytest.approx(1.0)
    assert ranked(np.array([4.0, 1.0, 2.0, 3.0]), errors) == pytest.approx(-1.0)
    assert ranked(np.full(4, 0.1), errors) == 0.0


def test_an_error_model_is_stored_as_text(tmp_path):
    X, _, errors = _known(300, 3)
    model = ErrorModel.fit(X, errors)
    model.save(tmp_path, "errors-1")
    ErrorModel.fit(X[:, ::-1], errors).save(tmp_path, "errors-10")
    loaded = ErrorModel.load(tmp_path, "errors-1", model.floor)
    assert len(loaded.boosters) == len(model.boosters)
    assert loaded.predict(X) == pytest.approx(model.predict(X), rel=1e-12)
    assert ErrorModel.load(tmp_path, "errors-2", 0.0).predict(X).tolist() == [1.0] * 300


def test_an_error_model_takes_only_the_columns_that_it_looks_at():
    rng = np.random.default_rng(5)
    X = rng.integers(0, 3, (400, 300)).astype(np.float32)
    value, nearest = (
        rng.normal(size=400),
        Nearest(places=rng.integers(0, 9, (400, 3)), similarity=rng.random((400, 3))),
    )
    known = References(y=rng.normal(size=9), residuals=rng.normal(size=9))
    features = error_features(X, value, None, nearest, known)
    whole = ErrorModel.fit(features, np.abs(rng.normal(0, 0.1 + X[:, 7] + X[:, 250])))
    columns, narrow = whole.narrow
    assert {7, 250} < set(columns.tolist())
    assert len(columns) < 300
    few = error_features(X.take(columns, axis=1), value, None, nearest, known)
    np.testing.assert_array_equal(narrow.predict(few), whole.predict(features))
    np.testing.assert_array_equal(narrow.predict(few[:9]), whole.predict(features[:9]))
    nothing, constant = ErrorModel.constant().narrow
    assert nothing.tolist() == []
    assert constant.predict(few[:, :7]).tolist() == [1.0] * 400


def test_hints_of_an_error_by_hand():
    """Two neighbours of similarity 0.75 and 0.25, measured 1 and 3, one with a known error."""
    nearest = Nearest(places=np.array([[0, 1]]), similarity=np.array([[0.75, 0.25]]))
    known = References(y=np.array([1.0, 3.0]), residuals=np.array([-0.5, np.nan]))
    found = error_features(
        np.array([[7.0, np.inf]]), np.array([2.0]), np.array([0.3]), nearest, known
    )
    assert found[0, :7] == pytest.approx([2.0, 0.3, 0.75, 0.5, 0.5, 1.0, 0.5], abs=1e-5)
    assert found[0, 7] == 7.0
    assert np.isnan(found[0, 8])


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64])
def test_numbers_beside_the_hints_are_the_models_own(dtype):
    rng = np.random.default_rng(4)
    X = rng.integers(0, 4, (6, 5)).astype(dtype)
    if X.dtype.kind == "f":
        X[0, 0], X[1, 1], X[2, 2] = np.nan, np.inf, -np.inf
    places = rng.integers(0, 9, (6, 3))
    nearest = Nearest(places=places, similarity=rng.random((6, 3)))
    known = References(y=rng.normal(size=9), residuals=rng.normal(size=9))
    found = error_features(X, rng.normal(size=6), None, nearest, known)
    numbers = X.astype(np.float32)
    expected = np.where(np.isfinite(numbers), numbers, np.nan)
    np.testing.assert_array_equal(found[:, 7:], expected, strict=True)
    assert np.isnan(found[:, 1]).all()
