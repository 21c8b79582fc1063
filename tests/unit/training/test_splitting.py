"""Folds of a data set: only the rows that are asked for, by the splitter's own rule."""

import numpy as np
import pyarrow as pa
import pytest

from app.chem.scaffold import murcko_scaffold
from app.core.ids import new_id
from app.datasets.records import Dataset
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
    return dataset_of([], {"smiles": smiles, "set": words})


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
