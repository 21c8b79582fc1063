"""Every registered splitter: disjoint, repeatable, honest about what it cannot do."""

import itertools

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
