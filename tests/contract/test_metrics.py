"""Every registered metric against scikit-learn (or SciPy) called directly."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from app.metrics.base import metrics
from app.metrics.evaluate import baseline_predictions, evaluate

RNG = np.random.default_rng(0)
Y = RNG.normal(size=200)
PREDICTED = Y + RNG.normal(scale=0.5, size=200)
LABELS = (Y > 0.4).astype(float)
SCORES = np.round(1 / (1 + np.exp(-PREDICTED)), 2)  # with ties
BINARY = np.column_stack([1 - SCORES, SCORES])
CLASSES = RNG.integers(0, 4, 200).astype(float)
LOGITS = RNG.normal(size=(200, 4)) + 1.5 * np.eye(4)[CLASSES.astype(int)]
MULTI = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)

REGRESSION = {
    "rmse": reference.root_mean_squared_error,
    "mse": reference.mean_squared_error,
    "mae": reference.mean_absolute_error,
    "r2": reference.r2_score,
    "spearman": lambda y, p: stats.spearmanr(y, p).statistic,
}
CLASSIFICATION = {
    "accuracy": lambda y, c, p: reference.accuracy_score(y, c),
    "balanced_accuracy": lambda y, c, p: reference.balanced_accuracy_score(y, c),
    "matthews_corrcoef": lambda y, c, p: reference.matthews_corrcoef(y, c),
    "log_loss": lambda y, c, p: reference.log_loss(y, p),
    "roc_auc": lambda y, c, p: reference.roc_auc_score(
        y, p[:, 1] if p.shape[1] == 2 else p, multi_class="ovr"
    ),
    "f1": lambda y, c, p: reference.f1_score(
        y, c, average="binary" if p.shape[1] == 2 else "macro"
    ),
    "precision": lambda y, c, p: reference.precision_score(
        y, c, average="binary" if p.shape[1] == 2 else "macro"
    ),
    "recall": lambda y, c, p: reference.recall_score(
        y, c, average="binary" if p.shape[1] == 2 else "macro"
    ),
    "average_precision": lambda y, c, p: reference.average_precision_score(y, p[:, 1]),
    "brier": lambda y, c, p: reference.brier_score_loss(y, p[:, 1]),
}


def test_every_metric_has_a_reference_here():
    assert set(metrics.names()) == set(REGRESSION) | set(CLASSIFICATION)


@pytest.mark.parametrize("name", sorted(REGRESSION))
def test_regression_equals_the_reference(name):
    found = metrics.get(name)().compute(Y, PREDICTED, None)
    assert found == pytest.approx(REGRESSION[name](Y, PREDICTED), rel=1e-12)


@pytest.mark.parametrize("name", sorted(CLASSIFICATION))
@pytest.mark.parametrize(("y", "p"), [(LABELS, BINARY), (CLASSES, MULTI)], ids=["binary", "multi"])
def test_classification_equals_the_reference(name, y, p):
    metric = metrics.get(name)()
    if p.shape[1] > 2 and "multiclass" not in metric.tasks:
        pytest.skip("binary only")
    chosen = p.argmax(axis=1).astype(float)
    assert metric.compute(y, chosen, p) == pytest.approx(CLASSIFICATION[name](y, chosen, p))


@pytest.mark.parametrize("name", metrics.names())
@pytest.mark.req("C-24")
def test_the_truth_is_better_than_noise_in_the_stated_direction(name):
    metric = metrics.get(name)()
    if "regression" in metric.tasks:
        best = metric.compute(Y, Y, None)
        worse = metric.compute(Y, RNG.permutation(Y), None)
    else:
        perfect = np.column_stack([1 - LABELS, LABELS])
        noise = RNG.permutation(BINARY)
        best = metric.compute(LABELS, LABELS, perfect)
        worse = metric.compute(LABELS, noise.argmax(axis=1).astype(float), noise)
    assert (best < worse) == (metric.direction == "minimize")


def test_intervals_of_the_mean_match_theory():
    """The bootstrap interval of an MAE is that of a mean: 1.96 standard errors each way."""
    errors = np.abs(Y - PREDICTED)
    found = evaluate("regression", Y, PREDICTED, None, n_bootstrap=2000, seed=1, names=["mae"])[
        "mae"
    ]
    half = 1.96 * errors.std() / np.sqrt(len(errors))
    assert found["value"] == pytest.approx(errors.mean())
    assert found["ci_low"] == pytest.approx(errors.mean() - half, abs=0.15 * half)
    assert found["ci_high"] == pytest.approx(errors.mean() + half, abs=0.15 * half)


def test_what_is_not_defined_is_null():
    one_class = evaluate("binary", np.ones(5), np.ones(5), BINARY[:5], n_bootstrap=50, seed=0)
    assert one_class["roc_auc"] == {"value": None, "ci_low": None, "ci_high": None}
    assert one_class["accuracy"]["value"] == 1.0


def test_the_baseline_is_the_mean_or_the_majority():
    values, probabilities = baseline_predictions("regression", np.array([1.0, 3.0]), 2, 0)
    assert values.tolist() == [2.0, 2.0]
    assert probabilities is None
    values, probabilities = baseline_predictions("binary", np.array([0.0, 1, 1, 1]), 1, 2)
    assert values.tolist() == [1.0]
    assert probabilities.tolist() == [[0.25, 0.75]]
