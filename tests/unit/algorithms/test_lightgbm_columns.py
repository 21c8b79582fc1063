"""A booster for its used columns alone says what the whole one says."""

import lightgbm
import numpy as np
import pytest

from app.algorithms.lightgbm_columns import used_columns, with_columns

SETTINGS = {"verbose": -1, "num_leaves": 5, "min_child_samples": 5, "num_threads": 1}


def _fitted(objective, **settings):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 4, (300, 60)).astype(np.float32)
    X[rng.random(X.shape) < 0.1] = np.nan
    y = np.nan_to_num(X[:, 3]) + np.nan_to_num(X[:, 41]) * np.nan_to_num(X[:, 59])
    if objective != "regression":
        y = np.digitize(y, [2.0, 5.0] if objective == "multiclass" else [3.0])
    asked = {**SETTINGS, "objective": objective, "feature_fraction": 0.2, **settings}
    return lightgbm.train(asked, lightgbm.Dataset(X, label=y), 12), X


@pytest.mark.parametrize(
    ("objective", "settings"),
    [
        ("regression", {}),
        ("binary", {}),
        ("multiclass", {"num_class": 3}),
        ("regression", {"monotone_constraints": [0] * 59 + [1]}),
    ],
)
def test_the_numbers_are_equal(objective, settings):
    booster, X = _fitted(objective, **settings)
    used = used_columns(booster)
    assert 3 in used
    assert 0 < len(used) < 60
    narrow = with_columns(booster, used)
    assert narrow.num_feature() == len(used)
    np.testing.assert_array_equal(narrow.predict(X[:, used]), booster.predict(X))
    again = lightgbm.Booster(model_str=narrow.model_to_string())
    np.testing.assert_array_equal(again.predict(X[:, used]), booster.predict(X))
    more = np.union1d(used, [0, 1])
    np.testing.assert_array_equal(
        with_columns(booster, more).predict(X[:, more]), booster.predict(X)
    )


def test_a_booster_without_a_split_takes_no_column():
    X = np.ones((50, 4), dtype=np.float32)
    booster = lightgbm.train(
        {**SETTINGS, "objective": "regression"}, lightgbm.Dataset(X, label=np.arange(50.0)), 2
    )
    assert len(used_columns(booster)) == 0
    narrow = with_columns(booster, np.array([0]))
    np.testing.assert_array_equal(narrow.predict(X[:, :1]), booster.predict(X))


def test_a_column_that_is_used_may_not_be_missing():
    booster, _ = _fitted("regression")
    used = used_columns(booster)
    with pytest.raises(ValueError, match=rf"looks at columns \[{used[0]}\] too"):
        with_columns(booster, used[1:])
