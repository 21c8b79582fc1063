"""Every registered metric: what the contract promises, and those of this release against
scikit-learn, SciPy, RDKit or torchmetrics called directly.

A new file in app/metrics is covered by the first part without an edit here.
"""

import warnings
from itertools import permutations

import numpy as np
import pytest
from rdkit.ML.Scoring import Scoring
from scipy import stats
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve
from sklearn.preprocessing import label_binarize

from app.metrics.base import metrics, resampled_known
from app.metrics.evaluate import Predicted, baseline_predictions, evaluate, evaluate_jointly

RNG = np.random.default_rng(0)
Y = RNG.normal(size=200)
PREDICTED = Y + RNG.normal(scale=0.5, size=200)
LABELS = (Y > 0.4).astype(float)
SCORES = np.round(1 / (1 + np.exp(-PREDICTED)), 2)  # with ties
BINARY = np.column_stack([1 - SCORES, SCORES])
CLASSES = RNG.integers(0, 4, 200).astype(float)
LOGITS = RNG.normal(size=(200, 4)) + 1.5 * np.eye(4)[CLASSES.astype(int)]
MULTI = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)

#: what every metric is called with, by task: (y_true, y_pred, probabilities)
CASES = {
    "regression": (np.round(Y, 1), np.round(PREDICTED, 1), None),
    "binary": (LABELS, BINARY.argmax(axis=1).astype(float), BINARY),
    "multiclass": (CLASSES, MULTI.argmax(axis=1).astype(float), MULTI),
}
EVERY = [(name, task) for name in metrics.names() for task in sorted(metrics.get(name).tasks)]
each_metric_and_task = pytest.mark.parametrize(("name", "task"), EVERY)


def taken(case, rows):
    return [None if values is None else values[rows] for values in case]


def ranked(y, p):
    """As RDKit takes it: rows with the highest score first."""
    return y[np.argsort(-p[:, 1], kind="stable")][:, np.newaxis]


def calibration_error(y, score):
    """Of a binary case; the bins as scikit-learn makes them."""
    share, claimed = calibration_curve(y, score, n_bins=15)
    where = np.searchsorted(np.linspace(0, 1, 16)[1:-1], score)
    rows = np.bincount(where, minlength=15)
    return float(np.sum(np.abs(share - claimed) * rows[rows > 0]) / len(y))


REGRESSION = {
    "rmse": reference.root_mean_squared_error,
    "mse": reference.mean_squared_error,
    "mae": reference.mean_absolute_error,
    "r2": reference.r2_score,
    "spearman": lambda y, p: stats.spearmanr(y, p).statistic,
    "kendall": lambda y, p: stats.kendalltau(y, p).statistic,
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
    "average_precision": lambda y, c, p: reference.average_precision_score(
        y if p.shape[1] == 2 else label_binarize(y, classes=range(p.shape[1])),
        p[:, 1] if p.shape[1] == 2 else p,
        average="macro",
    ),
    "brier": lambda y, c, p: reference.brier_score_loss(y, p),
}


# ---- what every metric promises


@each_metric_and_task
def test_the_order_of_the_rows_does_not_matter(name, task):
    metric, case = metrics.get(name)(), CASES[task]
    expected = metric.compute(*case)
    assert np.isfinite(expected)
    for seed in range(3):
        mixed = taken(case, np.random.default_rng(seed).permutation(200))
        assert metric.compute(*mixed) == pytest.approx(expected, rel=1e-9)


@each_metric_and_task
def test_resamples_are_the_metric_of_their_rows(name, task):
    metric, case = metrics.get(name)(), CASES[task]
    draws = np.random.default_rng(3).integers(0, 200, (8, 200))
    draws[7] = 5  # one row again and again
    expected = [metric.compute(*taken(case, rows)) for rows in draws]
    assert metric.resampled(*case, draws) == pytest.approx(expected, rel=1e-9, nan_ok=True)


@each_metric_and_task
def test_resamples_may_hold_unlike_numbers_of_rows(name, task):
    """Of a target with missing labels; a resample without any has no number."""
    metric, (y, *rest) = metrics.get(name)(), CASES[task]
    y = np.where(np.arange(200) % 3 == 0, np.nan, y)
    draws = np.random.default_rng(3).integers(0, 200, (8, 200))
    draws[7] = 3  # a row without label
    kept = [rows[np.isfinite(y[rows])] for rows in draws]
    assert len({len(rows) for rows in kept}) > 3
    expected = [metric.compute(*taken((y, *rest), rows)) for rows in kept[:7]]
    found = resampled_known(metric, y, *rest, draws)
    assert found == pytest.approx([*expected, np.nan], rel=1e-9, nan_ok=True)


@each_metric_and_task
@pytest.mark.parametrize("rows", [1, 2, 200])
def test_a_constant_target_gives_a_number_or_nan_without_a_warning(name, task, rows):
    metric = metrics.get(name)()
    _, *rest = taken(CASES[task], slice(rows))
    for constant in (0.0, 1.0):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert isinstance(metric.compute(np.full(rows, constant), *rest), float)


@each_metric_and_task
def test_what_goes_in_is_left_as_it_is(name, task):
    case = [None if values is None else values.copy() for values in CASES[task]]
    for values in case:
        if values is not None:
            values.flags.writeable = False
    metrics.get(name)().compute(*case)


@pytest.mark.parametrize("name", metrics.names())
def test_the_catalogue_says_what_it_is_and_where_it_comes_from(name):
    metric = metrics.get(name)
    assert metric.summary
    assert metric.reference
    assert metric.direction in ("minimize", "maximize")


# ---- those of this release, against others' code


@pytest.mark.parametrize("name", sorted(REGRESSION))
@pytest.mark.req("goal-39", "S4-12")
def test_regression_equals_the_reference(name):
    found = metrics.get(name)().compute(Y, PREDICTED, None)
    assert found == pytest.approx(REGRESSION[name](Y, PREDICTED), rel=1e-12)


@pytest.mark.parametrize("name", ["spearman", "kendall"])
def test_ties_equal_the_reference(name):
    y, predicted, _ = CASES["regression"]
    assert len(np.unique(y)) < 100
    found = metrics.get(name)().compute(y, predicted, None)
    assert found == pytest.approx(REGRESSION[name](y, predicted), rel=1e-12)


@pytest.mark.parametrize("name", sorted(CLASSIFICATION))
@pytest.mark.parametrize(("y", "p"), [(LABELS, BINARY), (CLASSES, MULTI)], ids=["binary", "multi"])
@pytest.mark.req("goal-39", "S4-12")
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


def test_a_class_that_does_not_occur_is_left_out_of_the_mean():
    rows = CLASSES != 2
    y, p = CLASSES[rows], MULTI[rows]
    areas = [reference.roc_auc_score(y == number, p[:, number]) for number in (0, 1, 3)]
    assert metrics.get("roc_auc")().compute(y, y, p) == pytest.approx(np.mean(areas))
    precisions = [reference.average_precision_score(y == c, p[:, c]) for c in (0, 1, 3)]
    found = metrics.get("average_precision")().compute(y, y, p)
    assert found == pytest.approx(np.mean(precisions))
    every = range(4)
    expected = reference.brier_score_loss(y, p, labels=every)
    assert metrics.get("brier")().compute(y, y, p) == pytest.approx(expected)


def test_the_brier_score_of_more_classes_is_summed_over_them():
    """Brier 1950, by hand: a sure and right forecast, and one that is evenly wrong."""
    p = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    found = metrics.get("brier")().compute(np.zeros(2), np.zeros(2), p)
    assert found == pytest.approx((0 + 1 + 0.25 + 0.25) / 2)


UNTIED = np.column_stack([1 - SCORES, SCORES + 1e-6 * np.arange(200)])
RARE = (np.random.default_rng(5).random(200) < SCORES**4 / 3).astype(float)


@pytest.mark.parametrize("y", [LABELS, RARE], ids=["many positives", "few"])
@pytest.mark.req("goal-39")
def test_early_recognition_equals_rdkit(y):
    scored = ranked(y, UNTIED)
    expected = {
        "bedroc": Scoring.CalcBEDROC(scored, 0, 20.0),
        "enrichment_factor_1": Scoring.CalcEnrichment(scored, 0, [0.01])[0],
        "enrichment_factor_5": Scoring.CalcEnrichment(scored, 0, [0.05])[0],
    }
    for name, value in expected.items():
        assert metrics.get(name)().compute(y, y, UNTIED) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("name", ["bedroc", "enrichment_factor_5"])
def test_equal_scores_count_as_the_mean_over_their_orders(name):
    """All 720 orders of six equal rows, each ranked by RDKit."""
    y = np.zeros(30)
    y[[0, 1, 2, 9, 20]] = 1
    score = np.linspace(1, 0, 30)
    score[1:7] = score[1]
    values = []
    for order in permutations(range(1, 7)):
        scored = y[[0, *order, *range(7, 30)]][:, np.newaxis]
        values.append(
            Scoring.CalcBEDROC(scored, 0, 20.0)
            if name == "bedroc"
            else Scoring.CalcEnrichment(scored, 0, [0.05])[0]
        )
    found = metrics.get(name)().compute(y, y, np.column_stack([1 - score, score]))
    assert found == pytest.approx(np.mean(values), rel=1e-9)
    assert np.ptp(values) > 0


def test_a_ranking_without_information_is_that_of_chance():
    constant = np.full((400, 2), 0.5)
    y = np.zeros(400)
    y[:4] = 1
    found = evaluate("binary", y, y, constant, n_bootstrap=0, seed=0)
    assert found["enrichment_factor_1"]["value"] == pytest.approx(1.0)
    assert found["bedroc"]["value"] == pytest.approx(1 / 20, abs=0.01)
    assert found["roc_auc"]["value"] == 0.5


@pytest.mark.req("goal-39")
def test_calibration_error_equals_the_references():
    import torch
    from torchmetrics.functional import classification as torchmetrics

    metric = metrics.get("ece")()
    found = metric.compute(LABELS, LABELS, BINARY)
    assert found == pytest.approx(calibration_error(LABELS, SCORES), rel=1e-9)
    score = UNTIED[:, 1]  # none on the edge of a bin
    expected = torchmetrics.binary_calibration_error(
        torch.tensor(score), torch.tensor(LABELS, dtype=torch.int64), n_bins=15
    )
    assert metric.compute(LABELS, LABELS, UNTIED) == pytest.approx(float(expected), rel=1e-4)
    expected = torchmetrics.multiclass_calibration_error(
        torch.tensor(MULTI), torch.tensor(CLASSES, dtype=torch.int64), num_classes=4, n_bins=15
    )
    assert metric.compute(CLASSES, CLASSES, MULTI) == pytest.approx(float(expected), rel=1e-4)


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


def test_the_same_seed_gives_the_same_intervals_whatever_is_drawn_at_once(monkeypatch):
    def run(seed):
        return evaluate("regression", Y, PREDICTED, None, n_bootstrap=30, seed=seed, names=["mae"])

    whole = run(1)
    monkeypatch.setattr("app.metrics.evaluate._CELLS", 7 * len(Y))
    assert run(1) == whole
    assert run(2) != whole


def test_the_interval_of_a_mean_is_of_rows_drawn_for_all_targets_at_once():
    """By hand; the second target lacks labels, and its errors go with those of the first."""
    second = np.where(np.arange(200) < 60, np.nan, LABELS)
    targets = [Predicted(y_true=y, y_pred=LABELS, probabilities=BINARY) for y in (LABELS, second)]
    found = evaluate_jointly("binary", targets, n_bootstrap=400, seed=6)
    draws = np.random.default_rng(6).integers(0, 200, (400, 200))
    each = []
    for y in (LABELS, second):
        rows = [line[np.isfinite(y[line])] for line in draws]
        each.append([reference.roc_auc_score(y[r], SCORES[r]) for r in rows])
    assert found.of_mean["roc_auc"] == pytest.approx(
        np.quantile(np.mean(each, axis=0), [0.025, 0.975])
    )
    for figures, scores, y in zip(found.each, each, (LABELS, second), strict=True):
        own = figures["roc_auc"]
        known = np.isfinite(y)
        assert own["value"] == pytest.approx(reference.roc_auc_score(y[known], SCORES[known]))
        assert [own["ci_low"], own["ci_high"]] == pytest.approx(np.quantile(scores, [0.025, 0.975]))
    alone = evaluate("binary", LABELS, LABELS, BINARY, n_bootstrap=400, seed=6)
    assert alone == found.each[0], "of a target without missing labels nothing has changed"


def test_the_interval_of_a_mean_is_narrow_unless_errors_go_together():
    """By the law of the mean: of 16 independent errors a quarter as wide, of equal ones as wide."""
    noise = np.random.default_rng(2).normal(size=(400, 16))

    def width(errors):
        zero = np.zeros(400)
        targets = [Predicted(y_true=zero, y_pred=e, probabilities=None) for e in errors.T]
        found = evaluate_jointly("regression", targets, n_bootstrap=500, seed=0, names=["mae"])
        one = found.each[0]["mae"]
        low, high = found.of_mean["mae"]
        return (high - low) / (one["ci_high"] - one["ci_low"])

    assert width(noise) == pytest.approx(1 / 4, rel=0.15)
    assert width(np.repeat(noise[:, :1], 16, axis=1)) == pytest.approx(1)


def test_what_is_not_defined_is_null():
    one_class = evaluate("binary", np.ones(5), np.ones(5), BINARY[:5], n_bootstrap=50, seed=0)
    assert one_class["roc_auc"] == {"value": None, "ci_low": None, "ci_high": None}
    assert one_class["bedroc"]["value"] is None
    assert one_class["enrichment_factor_1"]["value"] == 1.0
    assert one_class["accuracy"]["value"] == 1.0
    no_positive = evaluate("binary", np.zeros(5), np.ones(5), BINARY[:5], n_bootstrap=0, seed=0)
    for name in ("bedroc", "enrichment_factor_1", "average_precision", "roc_auc"):
        assert no_positive[name]["value"] is None
    constant = evaluate("regression", np.ones(5), Y[:5], None, n_bootstrap=0, seed=0)
    assert [constant[name]["value"] for name in ("kendall", "spearman", "r2")] == [None] * 3


def test_the_baseline_is_the_mean_or_the_majority():
    values, probabilities = baseline_predictions("regression", np.array([1.0, 3.0]), 2, 0)
    assert values.tolist() == [2.0, 2.0]
    assert probabilities is None
    values, probabilities = baseline_predictions("binary", np.array([0.0, 1, 1, 1]), 1, 2)
    assert values.tolist() == [1.0]
    assert probabilities.tolist() == [[0.25, 0.75]]
