"""The noise ceiling against theory, by simulation with a known truth."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from app.metrics.noise_ceiling import ceiling_of_classes, ceiling_of_numbers

SIGMA = 0.6


def measured(structures, replicates, seed=0):
    """(truth, values): each true value measured `replicates` times with deviation SIGMA."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(2.0, 1.5, structures)
    return truth, truth[:, None] + rng.normal(0, SIGMA, (structures, replicates))


def spread_of(values):
    return np.full(len(values), values.shape[1]), values.std(axis=1, ddof=1)


@pytest.mark.req("S0-26")
def test_the_ceiling_is_what_a_model_that_knows_the_truth_scores():
    truth, values = measured(2000, 2)
    labels = values[:, 0]
    found = ceiling_of_numbers(*spread_of(values), labels, np.ones(2000), seed=1)
    assert found["std"]["value"] == pytest.approx(SIGMA, rel=0.03)
    assert found["std"]["ci_low"] < SIGMA < found["std"]["ci_high"]
    best = {
        "rmse": reference.root_mean_squared_error(labels, truth),
        "mae": reference.mean_absolute_error(labels, truth),
        "r2": reference.r2_score(labels, truth),
        "spearman": stats.spearmanr(labels, truth).statistic,
    }
    for name, value in best.items():
        assert found["ceiling"][name]["value"] == pytest.approx(value, rel=0.04), name


def test_labels_that_are_means_of_replicates_can_be_met_better():
    """The error of a mean of m values is sigma / sqrt(m); R2 follows from it."""
    _, values = measured(2000, 4)
    labels = values.mean(axis=1)
    found = ceiling_of_numbers(*spread_of(values), labels, np.full(2000, 4), seed=1)
    assert found["ceiling"]["rmse"]["value"] == pytest.approx(SIGMA / 2, rel=0.03)
    expected = 1 - (SIGMA / 2) ** 2 / np.var(labels)
    assert found["ceiling"]["r2"]["value"] == pytest.approx(expected, abs=0.01)


def test_the_deviation_is_pooled_by_degrees_of_freedom():
    """By hand: sqrt((1 * 0.2^2 + 3 * 0.4^2 + 2 * 0.1^2) / 6)."""
    n, std = np.array([2, 4, 3]), np.array([0.2, 0.4, 0.1])
    found = ceiling_of_numbers(n, std, np.arange(9.0), np.ones(9), seed=0)
    assert found["std"]["value"] == pytest.approx(np.sqrt((0.04 + 0.48 + 0.02) / 6))
    assert found["degrees_of_freedom"] == 6


def test_equal_values_may_be_one_record_twice_and_are_told_apart():
    _, values = measured(50, 2)
    n, std = spread_of(values)
    copied = ceiling_of_numbers(
        np.append(n, [2] * 50), np.append(std, [0.0] * 50), values[:, 0], np.ones(50), seed=0
    )
    alone = ceiling_of_numbers(n, std, values[:, 0], np.ones(50), seed=0)
    assert copied["std"]["value"] == alone["std"]["value"]
    assert copied["std_with_equal"] == pytest.approx(alone["std"]["value"] / np.sqrt(2))
    assert (copied["structures"], copied["equal"], copied["values"]) == (100, 50, 200)


def test_too_few_replicates_are_no_estimate():
    found = ceiling_of_numbers(
        np.array([2, 2, 2]), np.array([0.1, 0.2, 0.0]), np.arange(9.0), np.ones(9), seed=0
    )
    assert (found["std"], found["ceiling"]) == (None, None)
    assert found["note"].startswith("2 differences")
    assert found["std_with_equal"] == pytest.approx(np.sqrt(0.05 / 3))


def test_noise_above_the_spread_leaves_nothing_to_explain():
    labels = np.random.default_rng(0).normal(0, 0.1, 300)
    found = ceiling_of_numbers(np.full(20, 2), np.full(20, 1.0), labels, np.ones(300), seed=0)
    assert found["ceiling"]["r2"]["value"] == pytest.approx(0.0, abs=0.02)
    assert found["ceiling"]["spearman"]["value"] is None


def test_the_same_seed_gives_the_same_figures():
    _, values = measured(60, 2)
    first, again, other = (
        ceiling_of_numbers(*spread_of(values), values[:, 0], np.ones(60), seed=seed)
        for seed in (4, 4, 5)
    )
    assert first == again != other


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_the_share_of_right_measurements_follows_from_their_agreement(n_classes):
    """Classes measured three times, wrong with probability 0.12."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, n_classes, 20_000)
    wrong = rng.random((20_000, 3)) < 0.12
    shift = rng.integers(1, n_classes, (20_000, 3))
    values = (truth[:, None] + wrong * shift) % n_classes
    pairs = [(values[:, a] == values[:, b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    found = ceiling_of_classes(np.full(20_000, 3), np.mean(pairs, axis=0), n_classes)
    assert found["agreement"] == pytest.approx(np.mean(pairs))
    assert found["ceiling"]["accuracy"]["value"] == pytest.approx(0.88, abs=0.01)


def test_agreement_below_chance_is_chance():
    found = ceiling_of_classes(np.full(20, 2), np.full(20, 0.3), 2)
    assert found["ceiling"]["accuracy"]["value"] == 0.5
    assert ceiling_of_classes(np.full(3, 2), np.ones(3), 2)["ceiling"] is None
