"""Every registered splitter: disjoint, repeatable, honest about what it cannot do."""

import itertools
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from app.chem.scaffold import murcko_scaffold
from app.core.errors import InvalidInput
from app.splitters.base import FractionParams, SplitInput, splitters
from tests.support.molecules import ESOL_TARGET, rows_of, standardized_esol

pytestmark = pytest.mark.req("goal-28")

ALL = pytest.mark.parametrize("name", splitters.names())
SEEDED = pytest.mark.parametrize("name", [s.name for s in splitters if s.seeded])
FRACTIONS = pytest.mark.parametrize(
    "name", [s.name for s in splitters if issubclass(s.Params, FractionParams)]
)
#: splitters that keep these together: rows of one group are on one side
GROUPS = {
    "scaffold": lambda rows: [murcko_scaffold(smiles) for smiles in rows.smiles],
    "group": lambda rows: rows.column,
    "time": lambda rows: rows.column,
}
GROUPED = pytest.mark.parametrize("name", GROUPS)
#: the column that a splitter reads, made of the row's number
CELLS = {
    "column": lambda n: ("train", "Valid", "TEST", "train", "train")[n % 5],
    "group": lambda n: f"laboratory {n * 7919 % 60}",
    "time": lambda n: datetime.fromisoformat("2000-01-01") + timedelta(days=n * 7919 % 500),
}


@pytest.fixture(scope="module")
def esol():
    found = standardized_esol(600)
    y = np.array([[float(row[ESOL_TARGET])] for row in rows_of("esol.csv")[:600]])
    return SplitInput(smiles=[f.smiles for f in found], y=y)


@pytest.fixture
def rows(name, esol):
    """ESOL, with a column for the splitter that the test is about."""
    return with_cells(esol, CELLS.get(name))


def with_cells(rows, cell):
    return replace(rows, column=cell and [cell(n) for n in range(rows.n)])


def make(name, **values):
    fields = splitters.get(name).Params.model_fields
    column = {"column": "split"} if "column" in fields else {}
    return splitters.get(name).from_values(column | values)


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


@ALL
def test_another_seed_gives_another_split_where_it_plays_a_part(name, rows):
    same = make(name).split(rows, 1).hash == make(name).split(rows, 2).hash
    assert same == (name in ("column", "time"))


@FRACTIONS
def test_fractions_are_met(name, rows):
    split = make(name, train=0.6, validation=0.2, test=0.2).split(rows, 0)
    n = len(rows.smiles)
    assert abs(len(split.test) / n - 0.2) < 0.02
    assert abs(len(split.validation) / n - 0.2) < 0.02


@FRACTIONS
def test_fractions_that_are_not_one_are_refused(name):
    with pytest.raises(InvalidInput):
        make(name, train=0.9, validation=0.2, test=0.2)


@ALL
def test_two_rows_cannot_be_split(name, rows):
    few = SplitInput(smiles=rows.smiles[:2], y=rows.y[:2], column=["train", "train"])
    with pytest.raises(InvalidInput):
        make(name).split(few, 0)


@ALL
def test_a_column_or_molecules_that_are_not_there_are_asked_for(name):
    table = SplitInput(smiles=[], y=np.arange(9.0)[:, None])
    if name in ("random", "stratified"):
        assert len(make(name).split(table, 0).test) == 1
        return
    for ask in (make(name).split, lambda rows, seed: make(name).folds(rows, seed, 3)):
        with pytest.raises(InvalidInput) as caught:
            ask(table, 0)
        expected = "bad_split_column" if name in CELLS else "no_structures"
        assert caught.value.problem()["code"] == expected


@GROUPED
@pytest.mark.parametrize("seed", range(2))
def test_no_group_is_on_two_sides(name, rows, seed):
    groups = GROUPS[name](rows)
    split = make(name).split(rows, seed)
    sides = [{groups[i] for i in part} for part in (split.train, split.validation, split.test)]
    assert all(not (a & b) for a, b in itertools.combinations(sides, 2))


def test_strata_keep_their_shares():
    y = np.array([[float(n % 10 == 0)] for n in range(500)])
    rows = SplitInput(smiles=["C"] * 500, y=y)
    for seed in range(5):
        split = make("stratified").split(rows, seed)
        assert y[split.test].sum() == 5
        assert y[split.validation].sum() == 5


def test_the_column_is_obeyed_and_a_strange_word_names_its_row(esol):
    rows = with_cells(esol, CELLS["column"])
    split = make("column").split(rows, 0)
    assert [rows.column[i] for i in split.test[:3]] == ["TEST"] * 3
    words = ["train", "test", "x", "", ""]
    strange = SplitInput(smiles=["C"] * 5, y=np.zeros((5, 1)), column=words)
    with pytest.raises(InvalidInput, match="row 3"):
        make("column").split(strange, 0)


# ---- time


def test_what_is_tested_is_newer_than_what_is_learned(esol):
    rows = with_cells(esol, CELLS["time"])
    times = np.array(rows.column)
    split = make("time").split(rows, 0)
    assert times[split.train].max() < times[split.validation].min()
    assert times[split.validation].max() < times[split.test].min()
    folds = make("time").folds(rows, 0, 5)
    for fold in folds:
        assert times[fold.train].max() < times[fold.test].min()
    for before, after in itertools.pairwise(folds):
        assert set(after.train) == set(before.train) | set(before.test)


def test_rows_of_one_year_stay_together_and_those_without_are_left_out():
    years = [2001.0] * 4 + [None] * 3 + [2003.0] * 6 + [2002.0] * 7
    split = make("time").split(SplitInput(smiles=[], y=np.zeros((20, 1)), column=years), 0)
    # 17 rows have a year: of the cuts 4 and 11, 11 is nearest to 15 and 4 to 13 of the older ones
    assert split.train.tolist() == [0, 1, 2, 3]
    assert split.validation.tolist() == list(range(13, 20))
    assert split.test.tolist() == list(range(7, 13))


def test_one_time_or_words_are_refused():
    def split(cells):
        return make("time").split(SplitInput(smiles=[], y=np.zeros((6, 1)), column=cells), 0)

    with pytest.raises(InvalidInput, match="fewer than two times"):
        split([1999.0] * 6)
    with pytest.raises(InvalidInput, match="row 2"):
        split([1999.0, "spring", *[2000.0] * 4])


# ---- group


def test_groups_that_are_all_large_leave_the_smallest_to_be_tested():
    cells = ["a"] * 5 + ["b"] * 4 + ["c"] * 3
    split = make("group").split(SplitInput(smiles=[], y=np.zeros((12, 1)), column=cells), 0)
    assert split.test.tolist() == [9, 10, 11]
    assert split.validation.tolist() == [5, 6, 7, 8]
    two = SplitInput(smiles=[], y=np.zeros((9, 1)), column=["a"] * 5 + [None] * 4)
    assert make("group").split(two, 0).test.tolist() == [5, 6, 7, 8]
    one = SplitInput(smiles=[], y=np.zeros((9, 1)), column=["a"] * 9)
    with pytest.raises(InvalidInput, match="one group only"):
        make("group").split(one, 0)


# ---- scaffolds by size


def by_size(smiles, **params):
    rows = SplitInput(smiles=smiles, y=np.zeros((len(smiles), 1)))
    return make("scaffold", balanced=False, **params), rows


def test_scaffolds_by_size_fill_train_then_validation_then_test():
    """By hand, as DeepChem's ScaffoldSplitter goes: 10 rows, so at most 6 train, at most 8 train or
    validate. Benzene 4; cyclohexane 2, pyridine 2 (its first row is later, so it comes before);
    furan, thiophene 1 each (thiophene is later).
    """
    benzene, cyclohexane = ["c1ccccc1", "Cc1ccccc1"], ["C1CCCCC1", "CC1CCCCC1"]
    pyridine = ["c1ccncc1", "Cc1ccncc1"]
    smiles = [*cyclohexane, "c1ccoc1", *benzene, *pyridine, "c1ccsc1", "Oc1ccccc1", "Nc1ccccc1"]
    splitter, rows = by_size(smiles, train=0.6, validation=0.2, test=0.2)
    for seed in range(3):
        split = splitter.split(rows, seed)
        assert split.train.tolist() == [3, 4, 5, 6, 8, 9], "benzene and pyridine"
        assert split.validation.tolist() == [0, 1], "cyclohexane"
        assert split.test.tolist() == [2, 7], "furan and thiophene"
        assert splitter.testable(rows)[split.test].all()
    assert not splitter.testable(rows)[split.train].any()


def test_a_group_that_does_not_fit_is_passed_over_for_a_smaller_one():
    """Limits 4 and 6 of 8: of three scaffolds with 3, 3 and 2 the later 3 trains, the other does
    not fit validation (3 + 3 = 6 does), and 2 is left for the test."""
    smiles = ["C1CCCCC1"] * 3 + ["c1ccccc1"] * 3 + ["c1ccoc1"] * 2
    splitter, rows = by_size(smiles, train=0.5, validation=0.25, test=0.25)
    split = splitter.split(rows, 0)
    assert split.train.tolist() == [3, 4, 5]
    assert split.validation.tolist() == [0, 1, 2]
    assert split.test.tolist() == [6, 7]


def test_scaffolds_by_size_test_the_rarest_and_one_scaffold_is_refused(esol):
    splitter, _ = by_size(["C"])
    split = splitter.split(esol, 0)
    groups = Counter(murcko_scaffold(smiles) for smiles in esol.smiles)
    sizes = [groups[murcko_scaffold(esol.smiles[row])] for row in split.test]
    assert max(sizes) == 1
    assert abs(len(split.train) / esol.n - 0.8) < 0.02
    assert splitter.testable(esol)[split.test].all()
    hashes = [[fold.hash for fold in splitter.folds(esol, seed, 5)] for seed in (0, 1)]
    assert hashes[0] != hashes[1], "folds are balanced, and another seed is another repeat"
    with pytest.raises(InvalidInput) as caught:
        splitter.split(by_size(["CCC"] * 9)[1], 0)
    assert caught.value.problem()["code"] == "too_few_scaffolds"


def test_the_key_of_balanced_scaffolds_is_that_of_earlier_releases():
    """Stored splits are found by it."""
    params = {"train": 0.8, "validation": 0.1, "test": 0.1}
    assert make("scaffold").key["params"] == params
    assert make("scaffold", balanced=False).key["params"] == params | {"balanced": False}


# ---- folds


@ALL
def test_folds_are_disjoint_and_cover_the_rows_that_may_be_learned(name, rows):
    folds = make(name).folds(rows, 0, 5)
    assert len(folds) == 5
    tested = np.concatenate([fold.test for fold in folds])
    assert len(set(tested)) == len(tested)
    expected = set(range(rows.n))
    if name == "column":
        expected = {i for i, word in enumerate(rows.column) if word != "TEST"}
    if name == "time":
        expected -= set(folds[0].train)
    assert set(tested) == expected
    for fold in folds:
        assert len(fold.validation) == 0
        assert len(fold.test) > 0
        assert not set(fold.train) & set(fold.test)
        if name != "time":
            assert set(fold.train) | set(fold.test) == set(tested)


@ALL
def test_folds_depend_on_the_seed_alone(name, rows):
    def hashes(seed):
        return [fold.hash for fold in make(name).folds(rows, seed, 5)]

    assert hashes(3) == hashes(3)
    assert (hashes(3) != hashes(4)) == splitters.get(name).seeded


@pytest.mark.parametrize("name", ["random", "stratified", "column"])
def test_folds_are_of_equal_size(name, rows):
    sizes = [len(fold.test) for fold in make(name).folds(rows, 0, 7)]
    assert max(sizes) - min(sizes) <= 1


@GROUPED
def test_rows_that_come_in_groups_are_not_drawn_singly(name):
    """Expected errors are chosen with more care there (app/uncertainty/expected_error.py)."""
    assert not splitters.get(name).drawn_singly
    assert splitters.get("random").drawn_singly


@GROUPED
def test_folds_keep_groups_whole(name, rows):
    groups = GROUPS[name](rows)
    folds = make(name).folds(rows, 1, 5)
    for fold in folds:
        assert not {groups[i] for i in fold.test} & {groups[i] for i in fold.train}
    if name == "time":
        return
    # only a group that is larger than a fold makes one larger than its share
    large = sum(count > rows.n / 5 for count in Counter(groups).values())
    others = sorted(len(fold.test) for fold in folds)[: 5 - large]
    assert max(others) - min(others) <= (1 if name == "scaffold" else 10)
    assert name != "scaffold" or large > 0


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


@ALL
def test_what_is_not_testable_is_never_tested(name, rows):
    """Intervals are learned from the testable rows alone (app/training/held_out.py)."""
    splitter = make(name)
    testable = splitter.testable(rows)
    assert testable.shape == (rows.n,)
    for seed in range(10):
        assert testable[splitter.split(rows, seed).test].all()


def test_the_largest_scaffold_is_not_testable(esol):
    """Half of ESOL has no ring, which is one scaffold for Bemis and Murcko."""
    testable = make("scaffold").testable(esol)
    acyclic = np.array([murcko_scaffold(smiles) == "" for smiles in esol.smiles])
    assert acyclic.sum() > 100
    assert not testable[acyclic].any()
    assert testable.sum() > 150
