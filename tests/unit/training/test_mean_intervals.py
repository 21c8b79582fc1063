"""The mean over targets, with the interval of that mean."""

import numpy as np
import pytest

from app.algorithms.base import LearningTask, Predictions
from app.training.evaluating import evaluate_baseline, evaluate_targets, headline

TASK = LearningTask(type="regression", targets=("a", "b", "empty"))
RNG = np.random.default_rng(0)
Y = np.column_stack([RNG.normal(size=(80, 2)), np.full(80, np.nan)])
Y[:30, 1] = np.nan
ERRORS = RNG.normal(size=(80, 3))
ASKED = {"n_bootstrap": 300, "seed": 3}


def found(task=TASK, y=Y):
    predictions = Predictions(values=np.nan_to_num(y) + ERRORS[:, : y.shape[1]])
    return evaluate_targets(task, y, predictions, **ASKED)


def test_it_is_that_of_a_bootstrap_by_hand():
    draws = np.random.default_rng(3).integers(0, 80, (300, 80))
    known = [np.isfinite(Y[:, n]) for n in (0, 1)]
    means = [
        np.mean([np.abs(ERRORS[rows[known[n][rows]], n]).mean() for n in (0, 1)]) for rows in draws
    ]
    units = {"a": "K", "b": "K"}
    told = found().mean(units)["mae"]
    assert told["value"] == pytest.approx(
        np.mean([np.abs(ERRORS[known[n], n]).mean() for n in (0, 1)])
    )
    assert [told["ci_low"], told["ci_high"]] == pytest.approx(np.quantile(means, [0.025, 0.975]))
    assert found().per_target.keys() == {"a", "b"}
    line = headline(TASK, {"mean": found().mean(units), "test": found().per_target})
    assert line.startswith(("test rmse 0.9", "test rmse 1."))
    assert line.endswith("]")


def test_where_units_differ_there_is_neither():
    told = found().mean({"a": "K", "b": "mol/L"})
    assert told["mae"] == {"value": None, "ci_low": None, "ci_high": None}
    assert told["spearman"]["ci_low"] < told["spearman"]["value"] < told["spearman"]["ci_high"]


def test_of_one_target_it_is_its_own():
    task = LearningTask(type="regression", targets=("a",))
    one = found(task, Y[:, :1])
    assert one.mean({}) == one.per_target["a"]


def test_without_resamples_there_is_a_mean_only():
    told = evaluate_targets(TASK, Y, Predictions(values=ERRORS), n_bootstrap=0, seed=0)
    mean = told.mean({})["r2"]
    assert mean["value"] is not None
    assert mean["ci_low"] is mean["ci_high"] is None


def test_the_baseline_has_one_too():
    told = evaluate_baseline(TASK, Y, Y, **ASKED).mean({"a": "K", "b": "K"})["rmse"]
    assert told["ci_low"] < told["value"] < told["ci_high"]
