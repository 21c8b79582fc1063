"""Probabilities are mended where they are wrong, and left alone where they are right."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from app.uncertainty.probabilities import apply, apply_all, calibrate


def _drawn(n, seed, sharpen):
    """Truth by p; what a model says is p with its log-odds times `sharpen`."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 3, n)
    said = 1 / (1 + ((1 - p) / p) ** sharpen)
    return rng.uniform(size=n) < p, said, p


@pytest.mark.req("goal-52")
def test_an_overconfident_model_is_mended():
    truth, said, _ = _drawn(2_000, 0, 3.0)
    beta = calibrate(truth, said)
    new, claimed, p = _drawn(5_000, 1, 3.0)
    mended = apply(claimed, beta)
    assert np.abs(mended - p).mean() < 0.02
    assert log_loss(new, mended) < log_loss(new, claimed)
    assert roc_auc_score(new, mended) == pytest.approx(roc_auc_score(new, claimed), abs=1e-9)


def test_the_coefficients_are_a_logistic_regressions():
    """Kull et al. 2017, equation 8: logistic regression on ln p and -ln(1 - p)."""
    truth, said, _ = _drawn(2_000, 0, 3.0)
    columns = np.column_stack([np.log(said), -np.log(1 - said)])
    reference = LogisticRegression(C=1e4, max_iter=1_000).fit(columns, truth)
    a, b, c = calibrate(truth, said)
    assert (a, b, c) == pytest.approx([*reference.coef_[0], *reference.intercept_], abs=0.01)


def test_too_few_of_the_rarer_class():
    truth = np.zeros(100, dtype=bool)
    truth[:14] = True
    assert calibrate(truth, np.linspace(0.9, 0.1, 100)) is None
    assert apply(np.array([0.2]), None).tolist() == [0.2]


def test_noise_is_not_learned():
    """Said at random: calibration says the base rate, or is not kept; never a falling curve."""
    rng = np.random.default_rng(3)
    truth = rng.uniform(size=400) < 0.5
    said = rng.uniform(0.05, 0.95, 400)
    beta = calibrate(truth, said)
    curve = apply(np.linspace(0.01, 0.99, 50), beta)
    assert (np.diff(curve) >= -1e-12).all()


def test_three_classes_sum_to_one():
    rng = np.random.default_rng(4)
    p = rng.dirichlet([1, 1, 1], 50)
    found = apply_all(p, [(2.0, 2.0, 0.0), None, (0.5, 0.5, 0.1)])
    assert found.sum(axis=1) == pytest.approx(np.ones(50))
    assert apply_all(p, [None, None, None]) is p


def test_of_two_classes_the_second_decides():
    p = np.array([[0.8, 0.2]])
    found = apply_all(p, [(9.0, 9.0, 9.0), (1.0, 1.0, 0.0)])
    assert found[0] == pytest.approx([0.8, 0.2])
