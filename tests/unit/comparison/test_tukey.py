"""The statistics of a comparison against statsmodels, scipy, tables and hand calculations."""

import numpy as np
import pytest
from scipy import stats

from app.comparison.resampling import corrected_t, permutation_p
from app.comparison.tukey import (
    compact_letters,
    honest_difference,
    repeated_measures_anova,
    tukey_hsd,
    variance_factor,
)

#: RMSE of three methods on five folds
SCORES = np.array(
    [
        [0.61, 0.58, 0.66],
        [0.55, 0.54, 0.63],
        [0.70, 0.64, 0.69],
        [0.59, 0.60, 0.67],
        [0.64, 0.59, 0.71],
    ]
)


@pytest.mark.req("S0-10", "goal-54")
def test_anova_is_that_of_statsmodels():
    """AnovaRM of statsmodels 0.14 on the same table: F = 17.84932, p = 0.0011233."""
    found = repeated_measures_anova(SCORES)
    assert (found.df_methods, found.df_error) == (2, 8)
    assert found.f == pytest.approx(17.8493150685)
    assert found.p_value == pytest.approx(0.0011232816)


def test_error_is_what_a_least_squares_fit_of_methods_and_folds_leaves():
    n, k = SCORES.shape
    rows = [
        [float(f == i) for i in range(n)] + [float(m == j) for j in range(k)]
        for f in range(n)
        for m in range(k)
    ]
    y = SCORES.reshape(-1)
    fitted = np.array(rows) @ np.linalg.lstsq(np.array(rows), y, rcond=None)[0]
    expected = ((y - fitted) ** 2).sum() / ((n - 1) * (k - 1))
    assert repeated_measures_anova(SCORES).ms_error == pytest.approx(expected)


@pytest.mark.req("S0-10", "goal-54")
def test_tukey_by_hand():
    """q(0.05; 3, 8) = 4.041 in every table of the studentized range; p by statsmodels' psturng
    (an approximation, good to three digits)."""
    anova = repeated_measures_anova(SCORES)
    factor = variance_factor(5)
    half = 4.041 * np.sqrt(anova.ms_error / 5)
    assert honest_difference(anova, 3, factor) == pytest.approx(half, rel=2e-4)
    pairs = tukey_hsd(SCORES, anova, factor)
    assert [(p.first, p.second) for p in pairs] == [(0, 1), (0, 2), (1, 2)]
    means = SCORES.mean(axis=0)
    for pair, p_value in zip(pairs, (0.1723, 0.01165, 0.001), strict=True):
        assert pair.value == pytest.approx(means[pair.first] - means[pair.second])
        assert pair.high - pair.value == pytest.approx(half, rel=2e-4)
        assert pair.value - pair.low == pytest.approx(half, rel=2e-4)
        assert pair.p_value == pytest.approx(p_value, rel=0.005, abs=2e-4)


def test_two_methods_are_the_paired_t_test():
    """With two methods Tukey's test is Student's on the differences: blocks are accounted for."""
    two = SCORES[:, :2]
    (pair,) = tukey_hsd(two, repeated_measures_anova(two), variance_factor(5))
    expected = stats.ttest_rel(two[:, 0], two[:, 1])
    assert pair.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    low, high = expected.confidence_interval(0.95)
    assert (pair.low, pair.high) == pytest.approx((low, high), rel=1e-5)
    unblocked = stats.tukey_hsd(two[:, 0], two[:, 1]).pvalue[0, 1]
    assert unblocked > 4 * pair.p_value, "the folds explain most of the spread"


def test_dependent_folds_ask_for_more():
    """5 folds: 1/5 + 1/4 instead of 1/5, by hand."""
    two = SCORES[:, :2]
    (pair,) = tukey_hsd(two, repeated_measures_anova(two), variance_factor(5, 0.25))
    d = two[:, 0] - two[:, 1]
    t = d.mean() / np.sqrt(d.var(ddof=1) * (0.2 + 0.25))
    assert pair.p_value == pytest.approx(2 * stats.t.sf(t, 4), rel=1e-6)
    corrected = corrected_t(d, 0.25)
    assert corrected.p_value == pytest.approx(stats.t.sf(t, 4))
    assert corrected.standard_error == pytest.approx(d.mean() / t)
    assert corrected_t(-d, 0.25).p_value == pytest.approx(1 - stats.t.sf(t, 4))
    plain = stats.ttest_rel(two[:, 0], two[:, 1], alternative="greater").pvalue
    assert corrected_t(d, 0.0).p_value == pytest.approx(plain)


@pytest.mark.parametrize("scores", [np.full((5, 3), 0.7), np.outer(np.arange(5) / 7, np.ones(3))])
def test_the_same_scores_are_not_different(scores):
    anova = repeated_measures_anova(scores)
    assert (anova.f, anova.p_value) == (0.0, 1.0)
    assert [p.p_value for p in tukey_hsd(scores, anova, 0.2)] == [1.0, 1.0, 1.0]
    assert corrected_t(scores[:, 0] - scores[:, 1], 0.25).p_value == 1.0


def test_a_difference_without_any_error_is_certain():
    scores = np.arange(5.0)[:, None] + np.array([0.0, 1.0])
    anova = repeated_measures_anova(scores)
    assert (anova.f, anova.p_value) == (float("inf"), 0.0)
    assert tukey_hsd(scores, anova, 0.2)[0].p_value == 0.0
    assert corrected_t(scores[:, 1] - scores[:, 0], 0.25).p_value == 0.0


def test_equal_methods_are_called_different_in_one_comparison_of_twenty():
    """The family-wise error over 2,000 comparisons of 4 equal methods on 25 independent folds."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(2_000):
        scores = rng.normal(size=(25, 1)) + rng.normal(size=(25, 4))
        anova = repeated_measures_anova(scores)
        means = scores.mean(axis=0)
        # q(0.05; 4, 72) = 3.72 (tables: 3.74 at 60, 3.69 at 120 degrees of freedom)
        wrong += np.ptp(means) > 3.72 * np.sqrt(anova.ms_error / 25)
    assert 0.035 <= wrong / 2_000 <= 0.065


def test_letters():
    assert compact_letters([1.0, 1.1, 1.2], 0.5) == ["a", "a", "a"]
    assert compact_letters([1.0, 2.0, 3.0], 0.5) == ["a", "b", "c"]
    assert compact_letters([1.0, 1.4, 1.8], 0.5) == ["a", "ab", "b"]
    assert compact_letters([3.0, 1.8, 1.4, 1.0, 0.9], 0.5) == ["a", "b", "bc", "c", "c"]
    assert compact_letters([1.0], 0.5) == ["a"]


@pytest.mark.req("S0-10")
def test_permutation_p_by_hand():
    assert permutation_p(0.9, [0.1, 0.2, 0.9, 0.95]) == 3 / 5
    assert permutation_p(0.9, [0.1] * 19) == 1 / 20
