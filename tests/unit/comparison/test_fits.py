"""Which rows a fit learns from, early stopping looks at, and is scored on."""

import numpy as np
import pytest

from app.comparison.fits import Fit, fits_of, most_fits, rows_of
from app.comparison.params import Candidate, CompareParams, names_of
from app.splitters.base import Split

EMPTY = np.empty(0, dtype=np.int64)
FOLD = Split(train=np.arange(20, 120), validation=EMPTY, test=np.arange(20))


def rows(needs_validation=False, seed=0, **fit):
    fit = Fit(candidate=fit.pop("candidate", 0), repeat=0, fold=0, **fit)
    return rows_of(fit, FOLD, seed, needs_validation=needs_validation)


def test_all_training_rows_with_their_own_labels():
    found = rows()
    assert found.train.tolist() == FOLD.train.tolist() == found.labels.tolist()
    assert found.test.tolist() == FOLD.test.tolist()
    assert not len(found.validation)


@pytest.mark.req("S0-10")
@pytest.mark.parametrize("needs_validation", [False, True])
def test_labels_are_permuted_inside_the_training_rows_only(needs_validation):
    found = rows(needs_validation, permutation=3)
    assert sorted(found.labels) == FOLD.train.tolist()
    own = np.concatenate([found.train, found.validation])
    assert (found.labels == own).mean() < 0.1
    assert found.test.tolist() == FOLD.test.tolist()
    other = rows(needs_validation, permutation=4)
    assert (found.labels == other.labels).mean() < 0.1
    again = rows(needs_validation, permutation=3, candidate=1)
    assert found.labels.tolist() == again.labels.tolist(), "the same for every candidate"


@pytest.mark.req("S0-10")
def test_parts_of_the_training_rows_are_nested():
    parts = [set(rows(fraction=part).train.tolist()) for part in (0.1, 0.25, 0.5)]
    assert [len(part) for part in parts] == [10, 25, 50]
    assert parts[0] < parts[1] < parts[2] < set(FOLD.train.tolist())
    assert rows(fraction=0.5).train.tolist() == rows(fraction=0.5, candidate=1).train.tolist()
    assert rows(fraction=0.5).train.tolist() != rows(fraction=0.5, seed=1).train.tolist()


def test_a_tenth_is_held_out_for_early_stopping():
    found = rows(needs_validation=True)
    assert len(found.validation) == 10
    assert sorted([*found.train, *found.validation]) == FOLD.train.tolist()
    assert found.labels.tolist() == [*found.train, *found.validation]


def test_the_fits_of_a_comparison():
    candidates = ({"algorithm": {"name": "ridge"}}, {"algorithm": {"name": "svm"}})
    params = CompareParams(
        dataset="d", candidates=candidates, repeats=2, y_scrambling=3, learning_curve=(0.5, 0.25)
    )
    fits = fits_of(params, [5, 4])
    assert len(fits) == 2 * (9 + 2 * 9 + 3 * 5)
    assert len(set(fits)) == len(fits)
    assert most_fits(params) == 2 * (10 + 20 + 15)
    permuted = [fit for fit in fits if fit.permutation is not None]
    assert {fit.repeat for fit in permuted} == {0}


def test_names_tell_candidates_apart():
    ridge, svm = ({"algorithm": {"name": name}} for name in ("ridge", "svm"))
    erg = ridge | {"features": [{"name": "erg"}, {"name": "maccs"}]}
    given = [ridge, ridge, erg, svm | {"name": "ridge #3"}, ridge, svm | {"name": "svm"}, svm]
    names = names_of([Candidate.model_validate(one) for one in given])
    expected = ["ridge", "ridge #2", "ridge, erg+maccs", "ridge #3", "ridge #4", "svm", "svm #2"]
    assert names == expected
