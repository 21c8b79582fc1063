"""Leverage is that of the hat matrix; the similarity threshold is a quantile."""

import numpy as np
import pytest

from app.uncertainty.domain import Leverage, similarity_threshold


@pytest.mark.req("goal-53")
def test_leverage_is_the_diagonal_of_the_hat_matrix(tmp_path):
    """With no more columns than components, h = x (X'X)^-1 x' of the centred, scaled columns and an
    intercept."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4)) @ rng.normal(size=(4, 4))
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    design = np.column_stack([np.ones(80), scaled])
    hat = np.diag(design @ np.linalg.inv(design.T @ design) @ design.T)
    leverage = Leverage.fit(X)
    assert leverage.of(X) == pytest.approx(hat, abs=1e-4)
    assert leverage.threshold == pytest.approx(3 * 5 / 80)
    leverage.save(tmp_path)
    assert Leverage.load(tmp_path).of(X) == pytest.approx(leverage.of(X))


def test_beyond_is_the_distance_to_the_plane_of_the_training_rows():
    """Twenty columns of rank ten: training rows lie in the plane, another row by what least squares
    of it on them leave.
    """
    rng = np.random.default_rng(3)
    X = rng.normal(size=(200, 10)) @ rng.normal(size=(10, 20))
    leverage = Leverage.fit(X)
    assert leverage.beyond(X).tolist() == [0.1] * 200
    new = rng.normal(size=(5, 20))
    scaled, plane = (new - X.mean(axis=0)) / X.std(axis=0), (X - X.mean(axis=0)) / X.std(axis=0)
    left = scaled - (np.linalg.lstsq(plane.T, scaled.T, rcond=None)[0].T @ plane)
    found = leverage.beyond(new)
    assert found == pytest.approx(np.sqrt((left**2).mean(axis=1)), rel=1e-3)
    assert found.min() > 0.1


def test_what_is_far_away_is_outside():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(500, 30)).astype(np.float32)
    leverage = Leverage.fit(X)
    assert (leverage.of(X) <= leverage.threshold).mean() > 0.9
    assert leverage.of(np.full((1, 30), 8.0))[0] > leverage.threshold


def test_more_columns_than_rows_and_missing_values():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(20, 300))
    X[3, 5] = np.inf
    X[:, 7] = 1.0
    found = Leverage.fit(X).of(np.where(rng.uniform(size=X.shape) < 0.1, np.nan, X))
    assert np.isfinite(found).all()


def test_ninety_five_of_a_hundred_are_similar_enough():
    closest = np.linspace(0.01, 1, 100)
    assert (closest >= similarity_threshold(closest)).sum() == 95
    assert similarity_threshold(np.empty(0)) == 0.0
