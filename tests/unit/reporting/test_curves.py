"""Numbers behind the plots, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from app.reporting.curves import by_rank, coverage, precision_recall, reliability, roc, wilson

pytestmark = pytest.mark.req("S4-12")


@pytest.fixture
def ranked():
    rng = np.random.default_rng(0)
    positive = rng.random(200) < 0.3
    # rounded, so that scores are tied
    return positive, np.round(0.3 * positive + 0.7 * rng.random(200), 1)


def test_roc_is_scikit_learns(ranked):
    false, true, _ = roc_curve(*ranked, drop_intermediate=False)
    ours = roc(*ranked)
    assert ours[0] == pytest.approx(false)
    assert ours[1] == pytest.approx(true)


def test_precision_and_recall_are_scikit_learns(ranked):
    precision, recall, _ = precision_recall_curve(*ranked)
    ours = precision_recall(*ranked)
    assert ours[0] == pytest.approx(recall[:-1][::-1])
    assert ours[1] == pytest.approx(precision[:-1][::-1])


def test_reliability_by_hand():
    """Two rows at 0.95, one of them positive; two at 0.05, none."""
    found = reliability(np.array([True, False, False, False]), np.array([0.95, 0.95, 0.05, 0.05]))
    assert found.said.tolist() == pytest.approx([0.05, 0.95])
    assert found.found.tolist() == [0.0, 0.5]
    assert found.n.tolist() == [2, 2]


def test_wilson_is_the_known_interval():
    """8 of 10: 0.490 to 0.943 (Newcombe 1998, method 3)."""
    low, high = wilson(np.array([0.8]), np.array([10]))
    assert (low[0], high[0]) == (pytest.approx(0.490, abs=5e-4), pytest.approx(0.943, abs=5e-4))


def test_groups_of_equal_size_in_order():
    means, low, high = by_rank(np.array([3.0, 1, 2, 4, np.nan]), np.array([30.0, 10, 20, 40, 9]), 2)
    assert means.tolist() == [15, 35]
    assert (low.tolist(), high.tolist()) == ([1, 3], [2, 4])
    assert by_rank(np.array([1.0]), np.array([1.0]), 2)[0].tolist() == []


def test_coverage_counts_rows_with_an_interval():
    low, high = np.array([0.0, 0, np.nan]), np.array([1.0, 1, np.nan])
    assert coverage(np.array([1.0, 2, 0]), low, high) == (0.5, 2)
    assert coverage(np.array([1.0]), low[2:], high[2:])[1] == 0
