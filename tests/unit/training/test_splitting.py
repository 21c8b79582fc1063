"""Folds of a data set: only the rows that are asked for, by the splitter's own rule."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from app.chem.scaffold import murcko_scaffold
from app.core.errors import InvalidInput
from app.core.ids import new_id
from app.datasets.records import Dataset
from app.storage.local import LocalStorage
from app.training.folds import read_folds, store_folds
from app.training.params import SplitSpec
from app.training.splitting import fold_dataset
from tests.support.molecules import ESOL_TARGET, rows_of, standardized_esol

pytestmark = pytest.mark.req("goal-28")


def dataset_of(columns, table):
    dataset = Dataset(
        id=new_id(),
        ref="d:1",
        name="d",
        sha256="0",
        kind="molecule" if "smiles" in table else "table",
        columns=columns,
        folder_key="",
        resources=None,
    )
    dataset.__dict__["table"] = pa.table(table)
    return dataset


@pytest.fixture(scope="module")
def esol():
    smiles = [found.smiles for found in standardized_esol(400)]
    words = ["train" if n % 4 else "test" for n in range(400)]
    columns = [{"name": "set", "role": "split", "type": "binary"}]
    return dataset_of(columns, {"smiles": smiles, "set": words})


@pytest.fixture(scope="module")
def y():
    values = np.array([[float(row[ESOL_TARGET])] for row in rows_of("esol.csv")[:400]])
    values[:30] = np.nan
    return values


@pytest.mark.parametrize("name", ["random", "stratified", "scaffold"])
def test_folds_hold_the_labelled_rows_that_are_asked_for(name, esol, y):
    rows = np.arange(0, 400, 2)
    folds = fold_dataset(esol, SplitSpec(name=name), y, rows, seed=0, n=4)
    assert len(folds) == 4
    tested = np.sort(np.concatenate([fold.test for fold in folds]))
    assert tested.tolist() == list(range(30, 400, 2))
    for fold in folds:
        assert np.sort(np.concatenate([fold.train, fold.test])).tolist() == tested.tolist()


def test_folds_read_the_structures_of_their_own_rows(esol, y):
    rows = np.arange(100, 400)
    folds = fold_dataset(esol, SplitSpec(name="scaffold"), y, rows, seed=0, n=5)
    for fold in folds:
        here = {murcko_scaffold(esol.smiles[row]) for row in fold.test}
        there = {murcko_scaffold(esol.smiles[row]) for row in fold.train}
        assert not here & there


def test_folds_of_a_column_leave_its_test_rows_out(esol, y):
    spec = SplitSpec(name="column", params={"column": "set"})
    folds = fold_dataset(esol, spec, y, np.arange(400), seed=0, n=5)
    tested = np.sort(np.concatenate([fold.test for fold in folds]))
    assert tested.tolist() == [row for row in range(30, 400) if row % 4]


def test_the_seed_of_the_folds_is_the_one_that_is_asked_for(esol, y):
    def hashes(spec_seed, seed):
        spec = SplitSpec(seed=spec_seed)
        folds = fold_dataset(esol, spec, y, np.arange(400), seed=seed, n=5)
        return [fold.hash for fold in folds]

    assert hashes(0, 1) == hashes(7, 1) != hashes(0, 2)


@pytest.mark.parametrize(
    ("kind", "format_", "cells"),
    [
        ("number", None, [9.0, 10.0, 100.0, 8.0]),
        # a split column is stored as it was written: as text 9 comes after 100
        ("number", None, ["9", "10", "100", "8"]),
        ("date", "%d.%m.%Y", ["09.01.2001", "01.02.2001", "01.01.2002", "31.12.2000"]),
        (
            "date",
            "iso",
            [datetime.fromisoformat(f"2001-01-{day}") for day in ("09", "10", "11", "08")],
        ),
    ],
)
def test_times_are_compared_as_what_they_are(kind, format_, cells):
    column = {"name": "when", "role": "split", "type": kind, "format": format_}
    dataset = dataset_of([column], {"when": cells})
    spec = SplitSpec(name="time", params={"column": "when"})
    folds = fold_dataset(dataset, spec, np.zeros((4, 1)), np.arange(4), seed=0, n=3)
    assert [fold.test.tolist() for fold in folds] == [[0], [1], [2]]
    assert [fold.train.tolist() for fold in folds] == [[3], [0, 3], [0, 1, 3]]


def test_a_cell_that_cannot_be_read_names_its_row():
    column = {"name": "when", "role": "split", "type": "number"}
    dataset = dataset_of([column], {"when": ["1", "2", "soon", "4"]})
    spec = SplitSpec(name="time", params={"column": "when"})
    with pytest.raises(InvalidInput, match="row 3"):
        fold_dataset(dataset, spec, np.zeros((4, 1)), np.arange(4), seed=0, n=2)


# ---- folds as stored objects


@pytest.mark.parametrize("name", ["random", "scaffold", "time"])
def test_stored_folds_are_read_as_they_were(name, esol, y, tmp_path):
    column = {"name": "when", "role": "split", "type": "number"}
    years = [str(1990 + row % 20) for row in range(400)]
    dataset = dataset_of([column], {"smiles": esol.smiles, "when": years})
    spec = SplitSpec(name=name, params={"column": "when"} if name == "time" else {}, seed=4)
    repeats = [
        fold_dataset(dataset, spec, y, np.arange(400), seed=4 + repeat, n=5) for repeat in range(2)
    ]
    storage = LocalStorage(tmp_path)
    stored = store_folds(storage, dataset, spec, repeats)
    read = read_folds(storage.read(stored.storage_key))
    assert [[f.hash for f in folds] for folds in read] == [
        [f.hash for f in folds] for folds in repeats
    ]
    assert stored.sizes == {"folds": 5, "repeats": 2, "rows": 370}
    again = store_folds(storage, dataset, spec, repeats)
    assert (again.hash, again.storage_key) == (stored.hash, stored.storage_key)
    fewer = store_folds(storage, dataset, spec, repeats[:1])
    other = store_folds(storage, dataset, SplitSpec(name=name, params=spec.params, seed=5), repeats)
    assert len({stored.storage_key, fewer.storage_key, other.storage_key}) == 3
    assert stored.hash == other.hash != fewer.hash
