"""Differences that are called real: never by looking often, and soon when they are."""

import math

import numpy as np
import pytest
from scipy import stats

from app.endpoints.sequential import (
    FEWEST,
    compare_rates,
    is_above,
    is_worse,
    log_evidence,
    mean_difference,
    moments,
    paired_difference,
    rate_bounds,
    wilson,
)

ALPHA = 0.05


def test_wilson_by_scipy():
    for events, n in ((0, 10), (3, 40), (40, 40)):
        found = stats.binomtest(events, n).proportion_ci(method="wilson")
        assert wilson(events, n) == pytest.approx((found.low, found.high))
    assert wilson(0, 0) is None


def test_the_mixture_is_an_integral():
    """Over Beta(1/2, 1/2), by numbers: change of variable rate = sin(t)^2 makes it flat."""
    t = (np.arange(200_000) + 0.5) * (math.pi / 2) / 200_000
    rate = np.sin(t) ** 2
    for events, n, against in ((3, 20, 0.4), (0, 7, 0.1)):
        likelihood = (rate**events * (1 - rate) ** (n - events)).mean()
        own = against**events * (1 - against) ** (n - events)
        assert log_evidence(events, n, against) == pytest.approx(math.log(likelihood / own))


def _ever_real(a, b, looks):
    first, second = a.cumsum(), b.cumsum()
    return any(
        compare_rates((int(first[n - 1]), n), (int(second[n - 1]), n), ALPHA).p_value <= ALPHA
        for n in looks
    )


@pytest.mark.req("goal-73")
@pytest.mark.parametrize("rate", [0.005, 0.05, 0.5])
def test_equal_error_rates_stay_below_alpha_however_often_one_looks(rate, fast):
    """A naive test at the same looks is wrong in a quarter of the runs: the simulation can fail."""
    rng, runs, looks = np.random.default_rng(4), 100, range(10, 2001, 20)
    false, naive = 0, 0
    for _ in range(runs):
        a, b = rng.random(2000) < rate, rng.random(2000) < rate
        false += _ever_real(a, b, looks)
        naive += _naive(a, b, looks)
    assert false / runs <= ALPHA
    if rate == 0.5:
        assert naive / runs > 3 * ALPHA


def _naive(a, b, looks):
    first, second = a.cumsum(), b.cumsum()
    for n in looks:
        p, q = first[n - 1] / n, second[n - 1] / n
        spread = math.sqrt((p * (1 - p) + q * (1 - q)) / n)
        if spread and abs(p - q) / spread > 1.96:
            return True
    return False


@pytest.fixture
def fast(monkeypatch):
    """p values only: the bounds of the difference are not needed, and take most of the time."""
    monkeypatch.setattr("app.endpoints.sequential._difference_bounds", lambda *_: (-1.0, 1.0))


@pytest.mark.req("goal-73")
def test_a_real_difference_of_error_rates_is_found(fast):
    rng, runs = np.random.default_rng(5), 20
    looks = range(50, 3001, 50)
    found = sum(
        _ever_real(rng.random(3000) < 0.01, rng.random(3000) < 0.05, looks) for _ in range(runs)
    )
    assert found / runs > 0.9


def test_the_interval_agrees_with_the_p_value_and_covers():
    found = compare_rates((30, 3000), (90, 3000), ALPHA)
    assert found.value == pytest.approx(0.02)
    assert found.low < 0.02 < found.high
    assert found.is_real
    assert found.p_value < ALPHA
    alike = compare_rates((30, 3000), (33, 3000), ALPHA)
    assert alike.low < 0 < alike.high
    assert not alike.is_real
    assert alike.p_value > ALPHA
    for first, second in (((0, 5), (5, 5)), ((0, 9), (0, 9)), ((9, 9), (2, 9))):
        edge = compare_rates(first, second, ALPHA)
        assert -1 <= edge.low <= edge.value <= edge.high <= 1
        assert edge.is_real == (edge.p_value <= ALPHA)
    assert compare_rates((0, 0), (1, 5), ALPHA).low is None


def test_bounds_of_one_rate_cover_at_all_times():
    rng, runs, rate = np.random.default_rng(6), 60, 0.03
    missed = 0
    for _ in range(runs):
        events = (rng.random(1000) < rate).cumsum()
        missed += any(
            log_evidence(int(events[n - 1]), n, rate) > math.log(1 / ALPHA)
            for n in range(1, 1001, 10)
        )
    assert missed / runs <= ALPHA
    low, high = rate_bounds(30, 1000, ALPHA)
    assert 0 < low < 0.03 < high < 0.06
    assert rate_bounds(0, 10, ALPHA)[0] == 0.0


def test_one_sided_questions():
    assert is_above(30, 100, 0.1, ALPHA)
    assert not is_above(12, 100, 0.1, ALPHA)
    assert not is_above(0, 100, 0.1, ALPHA), "far below is not above"
    assert is_worse((10, 1000), (30, 200), ALPHA)
    assert not is_worse((30, 200), (10, 1000), ALPHA)
    assert not is_worse((0, 0), (30, 200), ALPHA)


@pytest.mark.req("goal-73")
@pytest.mark.parametrize("paired", [True, False])
def test_equal_errors_of_predictions_stay_below_alpha(paired):
    """Skewed values, as absolute errors are; a look at every fiftieth value."""
    rng, runs, n = np.random.default_rng(7), 100, 1500
    false = 0
    for _ in range(runs):
        a, b = rng.exponential(size=n), rng.exponential(size=n)
        false += any(_real(a[:k], b[:k], paired) for k in range(FEWEST, n + 1, 50))
    assert false / runs <= ALPHA + 0.02, "the promise is one in the limit"


def _real(a, b, paired):
    def of(x):
        return len(x), float(x.mean()), float(x.var(ddof=1))

    if not paired:
        return mean_difference(of(a), of(b), ALPHA).is_real
    from app.endpoints.sequential import _normal

    n, mean, variance = of(b - a)
    return _normal(mean, variance, n, ALPHA, (n, n)).is_real


def test_a_better_model_is_found_and_pairs_find_it_sooner():
    rng = np.random.default_rng(8)
    hard = rng.exponential(size=600)
    first, second = hard + 0.2 * rng.random(600), hard * 0.9 + 0.2 * rng.random(600)
    paired = paired_difference((second - first).tolist(), ALPHA)
    assert paired.is_real
    assert paired.high < 0
    unpaired = mean_difference(moments(first.tolist()), moments(second.tolist()), ALPHA)
    assert unpaired.high - unpaired.low > 3 * (paired.high - paired.low)


def test_few_values_say_nothing():
    few = paired_difference([5.0] * (FEWEST - 1), ALPHA)
    assert (few.value, few.low, few.is_real, few.p_value) == (5.0, None, False, 1.0)
    constant = paired_difference([5.0] * 1000, ALPHA)
    assert not constant.is_real, "without noise there is nothing to judge by"
