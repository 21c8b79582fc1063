"""Every registered splitter: disjoint, repeatable, honest about what it cannot do."""

import itertools
from collections import Counter

import numpy as np
import pytest

from app.chem.scaffold import murcko_scaffold
from app.core.errors import InvalidInput
from app.splitters.base import SplitInput, splitters
from tests.support.molecules import ESOL_TARGET, rows_of, standardized_esol

ALL = pytest.mark.parametrize("name", splitters.names())


@pytest.fixture(scope="module")
def rows():
    found = standardized_esol()
    y = np.array([[float(row[ESOL_TARGET])] for row in rows_of("esol.csv")])
    words = [("train", "Valid", "TEST", "train", "train")[n % 5] for n in range(len(found))]
    return SplitInput(smiles=[f.smiles for f in found], y=y, column=words)


def make(name, **values):
    return splitters.get(name).from_values({"column": "split"} if name == "column" else values)


@ALL
def test_parts_are_disjoint_sorted_and_of_the_rows(name, rows):
    split = make(name).split(rows, 0)
    parts = [split.train, split.validation, split.test]
    together = np.concatenate(parts)
    assert len(set(together)) == len(together) == len(rows.smiles)
    assert all((np.diff(part) > 0).all() for part in parts)
    assert len(split.test) > 0.05 * len(together)


@ALL
def test_the_same_seed_gives_the_same_split(name, rows):
    assert make(name).split(rows, 3).hash == make(name).split(rows, 3).hash


@pytest.mark.parametrize("name", ["random", "stratified", "scaffold"])
def test_another_seed_gives_another_split(name, rows):
    assert make(name).split(rows, 1).hash != make(name).split(rows, 2).hash


@pytest.mark.parametrize("name", ["random", "stratified", "scaffold"])
def test_fractions_are_met(name, rows):
    split = make(name, train=0.6, validation=0.2, test=0.2).split(rows, 0)
    n = len(rows.smiles)
    assert abs(len(split.test) / n - 0.2) < 0.02
    assert abs(len(split.validation) / n - 0.2) < 0.02


@pytest.mark.parametrize("name", ["random", "stratified", "scaffold"])
def test_fractions_that_are_not_one_are_refused(name):
    with pytest.raises(InvalidInput):
        make(name, train=0.9, validation=0.2, test=0.2)


@ALL
def test_two_rows_cannot_be_split(name, rows):
    few = SplitInput(smiles=rows.smiles[:2], y=rows.y[:2], column=["train", "train"])
    with pytest.raises(InvalidInput):
        make(name).split(few, 0)


@pytest.mark.parametrize("seed", range(3))
def test_no_scaffold_is_on_two_sides(rows, seed):
    split = make("scaffold").split(rows, seed)
    sides = [
        {murcko_scaffold(rows.smiles[i]) for i in part}
        for part in (split.train, split.validation, split.test)
    ]
    assert all(not (a & b) for a, b in itertools.combinations(sides, 2))


def test_strata_keep_their_shares():
    y = np.array([[float(n % 10 == 0)] for n in range(500)])
    rows = SplitInput(smiles=["C"] * 500, y=y)
    for seed in range(5):
        split = make("stratified").split(rows, seed)
        assert y[split.test].sum() == 5
        assert y[split.validation].sum() == 5


def test_the_column_is_obeyed_and_a_strange_word_names_its_row(rows):
    split = make("column").split(rows, 0)
    assert [rows.column[i] for i in split.test[:3]] == ["TEST"] * 3
    words = ["train", "test", "x", "", ""]
    strange = SplitInput(smiles=["C"] * 5, y=np.zeros((5, 1)), column=words)
    with pytest.raises(InvalidInput, match="row 3"):
        make("column").split(strange, 0)


# ---- folds


@ALL
def test_folds_are_disjoint_and_cover_the_rows_that_may_be_learned(name, rows):
    folds = make(name).folds(rows, 0, 5)
    assert len(folds) == 5
    tested = np.concatenate([fold.test for fold in folds])
    assert len(set(tested)) == len(tested)
    if name == "column":
        assert set(tested) == {i for i, word in enumerate(rows.column) if word != "TEST"}
    else:
        assert set(tested) == set(range(rows.n))
    for fold in folds:
        assert len(fold.validation) == 0
        assert len(fold.test) > 0
        assert not set(fold.train) & set(fold.test)
        assert set(fold.train) | set(fold.test) == set(tested)


@ALL
def test_folds_depend_on_the_seed_alone(name, rows):
    def hashes(seed):
        return [fold.hash for fold in make(name).folds(rows, seed, 5)]

    assert hashes(3) == hashes(3)
    assert hashes(3) != hashes(4)


@pytest.mark.parametrize("name", ["random", "stratified", "column"])
def test_folds_are_of_equal_size(name, rows):
    sizes = [len(fold.test) for fold in make(name).folds(rows, 0, 7)]
    assert max(sizes) - min(sizes) <= 1


def test_folds_keep_scaffolds_whole(rows):
    folds = make("scaffold").folds(rows, 1, 5)
    sides = [{murcko_scaffold(rows.smiles[i]) for i in fold.test} for fold in folds]
    assert all(not (a & b) for a, b in itertools.combinations(sides, 2))
    # only a scaffold that is larger than a fold makes one larger than its share
    counts = Counter(murcko_scaffold(smiles) for smiles in rows.smiles)
    large = sum(count > rows.n / 5 for count in counts.values())
    assert 0 < sum(len(fold.test) > rows.n / 5 for fold in folds) == large
    others = sorted(len(fold.test) for fold in folds)[: 5 - large]
    assert max(others) - min(others) <= 1


def test_folds_keep_the_shares_of_strata():
    y = np.array([[float(n % 10 == 0)] for n in range(500)])
    rows = SplitInput(smiles=["C"] * 500, y=y)
    assert [y[fold.test].sum() for fold in make("stratified").folds(rows, 2, 5)] == [10] * 5


def test_fewer_groups_than_folds_make_fewer_folds_and_one_group_none():
    two = SplitInput(smiles=["c1ccccc1", "Cc1ccccc1", "C1CCCCC1"], y=np.zeros((3, 1)))
    assert len(make("scaffold").folds(two, 0, 5)) == 2
    one = SplitInput(smiles=["C", "CC", "CCC"], y=np.zeros((3, 1)))
    with pytest.raises(InvalidInput) as caught:
        make("scaffold").folds(one, 0, 5)
    assert caught.value.problem()["code"] == "too_few_folds"
