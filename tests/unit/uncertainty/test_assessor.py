"""What numbers' expected errors are: learned, or the distance to the training rows."""

import numpy as np
import pytest

from app.algorithms.base import LearningTask, Predictions
from app.uncertainty.assessor import NEIGHBOURS, Assessor, HeldOut, TargetCalibration
from app.uncertainty.domain import Leverage
from app.uncertainty.expected_error import compared, follows_distance, ranked
from app.uncertainty.nearest import Nearest
from app.uncertainty.references import ReferenceRows

_N = 300


def _task(targets):
    return LearningTask(type="regression", targets=("y", "z")[:targets])


def _rows(seed):
    """X (n, 30): ten strong directions, and as much beside them as the row says."""
    rng = np.random.default_rng(seed)
    plane = rng.normal(size=(_N, 10)) @ np.random.default_rng(9).normal(size=(10, 30))
    return plane + rng.uniform(0, 2, size=(_N, 1)) * rng.normal(size=(_N, 30))


def _fitted(X, *sizes, drawn_singly=True):
    """Learned from errors of these sizes (n,), one for each target: a model that always says 0."""
    y = np.random.default_rng(1).normal(0, np.column_stack(sizes))
    rows = np.arange(_N)
    held = HeldOut(
        rows=rows,
        fold=rows % 5,
        predictions=Predictions(values=np.zeros(y.shape)),
        nearest=Nearest(
            places=(rows[:, None] + np.arange(1, NEIGHBOURS + 1)) % _N,
            similarity=np.full((_N, NEIGHBOURS), 0.5),
        ),
        beyond=Leverage.fit(X).beyond(X),
        drawn_singly=drawn_singly,
    )
    references = ReferenceRows(numbers=rows + 1, smiles=(), y=y, residuals=y, keys=X)
    return Assessor.fit(_task(len(sizes)), y, held, X, references, X, method="cross_conformal")


def _assessed(assessor, X):
    return assessor.assess(X, X, Predictions(values=np.zeros((len(X), len(assessor.errors)))))


@pytest.mark.req("goal-52")
def test_errors_that_grow_with_the_distance_are_expected_by_it(tmp_path):
    X = _rows(0)
    assessor, held = _fitted(X, Leverage.fit(X).beyond(X) ** 3)
    assert assessor.calibration.targets["y"].by_distance
    assert assessor.errors[0].boosters == ()
    assert held.upper[:, 0] / assessor.leverage.beyond(X) == pytest.approx(
        assessor.calibration.targets["y"].factor
    )
    assessor.save(tmp_path)
    new = _rows(2)
    found = _assessed(Assessor.load(tmp_path, _task(1)), new)
    distance = assessor.leverage.beyond(new)
    assert found.upper[:, 0] / distance == pytest.approx(
        assessor.calibration.targets["y"].factor, rel=1e-5
    )
    assert found.confidence[distance.argmin()] > 0.9
    assert found.confidence[distance.argmax()] < 0.1


def test_errors_that_grow_with_a_column_are_learned():
    X = _rows(0)
    assessor, _ = _fitted(X, np.exp(X[:, 3]))
    assert not assessor.calibration.targets["y"].by_distance
    found = _assessed(assessor, X)
    low, high = X[:, 3] < np.quantile(X[:, 3], 0.2), X[:, 3] > np.quantile(X[:, 3], 0.8)
    assert found.upper[high].mean() > 2 * found.upper[low].mean()


def test_each_target_has_its_own():
    X = _rows(0)
    distance = Leverage.fit(X).beyond(X)
    both, _ = _fitted(X, np.exp(X[:, 3]), distance**3)
    assert [t.by_distance for t in both.calibration.targets.values()] == [False, True]
    found = _assessed(both, X)
    assert found.upper[:, 1] / distance == pytest.approx(both.calibration.targets["z"].factor)
    assert not np.allclose(found.upper[:, 0] / distance, both.calibration.targets["y"].factor)


def _orders(lead):
    """(learned, distance, errors): two noisy orders of the errors 1 to 300, the first with less
    noise, by `lead`."""
    errors = np.arange(1.0, _N + 1)
    rng = np.random.default_rng(4)
    return errors + rng.normal(0, 400 - lead, _N), errors + rng.normal(0, 400, _N), errors


def test_two_correlations_with_the_same_errors_are_compared_as_meng_rosenthal_and_rubin_do():
    """By hand, of r = .63 and -.03, between them -.19, n = 15: z = .741 and -.030, mean of squares
    .1989, f = .743, h = 1.064, so Z = .771 * sqrt(12 / (2 * 1.19 * 1.064)).
    """
    assert compared(0.63, -0.03, -0.19, 15) == pytest.approx(1.678, abs=0.002)
    assert compared(-0.03, 0.63, -0.19, 15) == pytest.approx(-1.678, abs=0.002)
    assert compared(0.4, 0.4, 1.0, 15) == 0.0


def test_their_standard_error_is_that_of_many_samples():
    """Of two correlations that are equal, the Z of 2,000 samples varies by one."""
    rng = np.random.default_rng(5)
    cov = [[1, 0.3, 0.3], [0.3, 1, 0.5], [0.3, 0.5, 1]]
    found = []
    for _ in range(2_000):
        r = np.corrcoef(rng.multivariate_normal([0, 0, 0], cov, size=150).T)
        found.append(compared(r[0, 1], r[0, 2], r[1, 2], 150))
    assert np.std(found) == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize(
    ("lead", "singly", "groups"),
    [(-100, True, True), (20, False, True), (250, False, False)],
    ids=["worse", "better by chance", "better beyond it"],
)
def test_among_groups_the_error_model_has_to_be_better_beyond_chance(lead, singly, groups):
    learned, distance, errors = _orders(lead)
    assert follows_distance(learned, distance, errors, drawn_singly=True) is singly
    assert follows_distance(learned, distance, errors, drawn_singly=False) is groups


def test_a_distance_that_orders_by_chance_only_is_not_followed():
    """Though the error model is not better than it beyond chance."""
    errors, rng = np.arange(1.0, _N + 1), np.random.default_rng(8)
    learned, distance = errors + rng.normal(0, 900, _N), errors + rng.normal(0, 3_000, _N)
    by_model, by_distance = ranked(learned, errors), ranked(distance, errors)
    assert 0 < by_distance < 0.09 < by_model
    assert compared(by_model, by_distance, ranked(learned, distance), _N) < 1.6
    for each in (distance, np.full(_N, 0.1)):
        assert not follows_distance(learned, each, errors, drawn_singly=False)


def test_a_calibration_of_an_earlier_version_is_of_learned_errors():
    stored = '{"n": 100, "factor": 2.0, "grid": [], "floor": 0.1, "betas": []}'
    assert not TargetCalibration.model_validate_json(stored).by_distance
