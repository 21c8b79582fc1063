"""The paired bootstrap against what statistics says of it, and the file that it reads."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from app.algorithms.base import LearningTask, Predictions
from app.core.errors import Conflict
from app.metrics.base import metrics
from app.registry.evaluated_rows import EvaluatedRows, read_rows, rows_as_bytes
from app.registry.paired import improvement
from app.storage.memory import MemoryStorage

RMSE, MAE, ROC_AUC = (metrics.get(name)() for name in ("rmse", "mae", "roc_auc"))
N = 400


def numbers(error, y=None, seed=0, targets=1):
    y = np.random.default_rng(1).normal(size=(N, targets)) if y is None else y
    noise = np.random.default_rng(seed).normal(size=y.shape) * error
    return EvaluatedRows(
        task="regression",
        targets=tuple(f"t{i}" for i in range(y.shape[1])),
        classes=((),) * y.shape[1],
        rows=np.arange(N),
        y=y,
        predicted=y + noise,
        probabilities=None,
    )


def test_lower_is_better_for_errors_and_higher_for_scores():
    good, bad = numbers(0.3, seed=1), numbers(0.6, seed=2)
    found = improvement(RMSE, good, bad, confidence=0.95)
    assert found.candidate == pytest.approx(np.sqrt(np.mean((good.predicted - good.y) ** 2)))
    assert found.value == pytest.approx(found.holder - found.candidate)
    assert 0 < found.low < found.value < found.high
    back = improvement(RMSE, bad, good, confidence=0.95)
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low))


def test_the_interval_of_a_mean_is_the_normal_one():
    """The MAE is a mean, so the bootstrap must agree with the t interval of the differences."""
    a, b = numbers(0.5, seed=1), numbers(0.55, seed=2)
    found = improvement(MAE, a, b, confidence=0.9)
    difference = (np.abs(b.predicted - b.y) - np.abs(a.predicted - a.y))[:, 0]
    half = 1.6449 * difference.std(ddof=1) / np.sqrt(N)
    assert found.value == pytest.approx(difference.mean())
    assert found.low == pytest.approx(difference.mean() - half, abs=0.15 * half)
    assert found.high == pytest.approx(difference.mean() + half, abs=0.15 * half)


def test_pairing_sees_what_two_intervals_cannot():
    """Both err by the same amount on the same rows, one a little more: only pairs show it."""
    worse = numbers(1.0, seed=3)
    better = EvaluatedRows(
        **{**vars(worse), "predicted": worse.y + 0.97 * (worse.predicted - worse.y)}
    )
    found = improvement(RMSE, better, worse, confidence=0.95)
    assert found.low > 0
    assert found.high - found.low < 0.02


def test_a_difference_by_chance_is_called_one_as_often_as_promised():
    """Two equally good models: the lower end is above 0 in about (1 - level) / 2 of the cases."""
    wrong = sum(
        improvement(MAE, numbers(0.5, seed=2 * n), numbers(0.5, seed=2 * n + 1), confidence=0.8).low
        > 0
        for n in range(60)
    )
    assert wrong <= 14  # 6 expected; 14 or more in 0.2 % of such experiments


def test_the_same_model_differs_by_nothing():
    found = improvement(RMSE, numbers(0.5), numbers(0.5), confidence=0.95)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_targets_with_missing_labels_are_averaged():
    y = np.random.default_rng(1).normal(size=(N, 2))
    y[::3, 1] = np.nan
    a, b = numbers(0.3, y, seed=1), numbers(0.6, y, seed=2)
    found = improvement(RMSE, a, b, confidence=0.95)
    known = np.isfinite(y)
    squares = (a.predicted - y) ** 2
    each = [np.sqrt(squares[known[:, i], i].mean()) for i in (0, 1)]
    assert found.candidate == pytest.approx(np.mean(each))
    assert found.low > 0


def test_a_metric_that_is_defined_nowhere_has_no_interval():
    y = np.zeros((N, 1))
    one = EvaluatedRows(
        task="binary",
        targets=("t",),
        classes=(("no", "yes"),),
        rows=np.arange(N),
        y=y,
        predicted=y,
        probabilities=(np.full((N, 2), 0.5),),
    )
    found = improvement(ROC_AUC, one, one, confidence=0.95)
    assert np.isnan(found.low)
    assert found.draws == 0


def test_rows_come_back_as_they_were_stored():
    storage = MemoryStorage()
    task = LearningTask(type="binary", targets=("a", "b"), classes=(("n", "y"), ("0", "1")))
    rng = np.random.default_rng(0)
    rows = np.array([7, 3, 5])
    y = np.array([[0.0, 1.0], [1.0, np.nan], [1.0, 0.0]])
    probabilities = [rng.dirichlet((1, 1), 3) for _ in range(2)]
    predictions = Predictions(values=y.copy(), probabilities=probabilities)
    data = rows_as_bytes(task, rows, y, predictions)
    storage.write("evaluations/x/rows.parquet", data)
    sha256 = hashlib.sha256(data).hexdigest()
    found = read_rows(storage, "evaluations/x/rows.parquet", sha256)
    assert found.rows.tolist() == [3, 5, 7]
    np.testing.assert_array_equal(found.y, y[[1, 2, 0]])
    np.testing.assert_array_equal(found.probabilities[1], probabilities[1][[1, 2, 0]])
    assert (found.targets, found.classes) == (("a", "b"), (("n", "y"), ("0", "1")))
    with pytest.raises(Conflict, match="not those that were written"):
        read_rows(storage, "evaluations/x/rows.parquet", "0" * 64)


@pytest.mark.req("F-07")
def test_the_unit_of_one_of_two_targets_changes_nothing():
    """Target 0 is better by half, target 1 worse by a tenth; in another unit by a hundred."""

    def pair(unit):
        y = np.random.default_rng(1).normal(size=(N, 2)) * [1.0, unit]
        noise = np.random.default_rng(2).normal(size=(N, 2)) * [1.0, unit]
        ours = numbers(0.0, y=y)
        return [
            replace(ours, predicted=y + noise * error)
            for error in (np.array([0.2, 0.55]), np.array([0.4, 0.5]))
        ]

    plain = improvement(RMSE, *pair(1000.0), confidence=0.95)
    assert plain.value < 0, "only the target with the large numbers counts"
    found = [
        improvement(RMSE, *pair(unit), confidence=0.95, scales=np.array([1.0, unit]))
        for unit in (1.0, 1000.0)
    ]
    assert found[0].low > 0
    assert vars(found[0]) == pytest.approx(vars(found[1]))
    candidate, _ = pair(1.0)
    errors = np.sqrt(np.mean((candidate.predicted - candidate.y) ** 2, axis=0))
    assert found[1].candidate == pytest.approx(errors.mean())
