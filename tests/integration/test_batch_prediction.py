"""Files predicted in chunks: their sizes, the cache of features, formats, ranges while it runs."""

import csv
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from app.core.errors import InvalidInput
from app.core.work import SilentContext
from app.prediction import service as prediction
from app.prediction.params import PredictParams
from app.prediction.prepared import clean_up_prepared
from app.training import service as training
from app.training.params import TrainParams
from tests.support.datasets import PROJECT, ingested, job_context, stored_file
from tests.support.inprocess import run_fan_out
from tests.support.molecules import ESOL_TARGET, rows_of

FEATURES = ({"name": "morgan_counts", "params": {"fp_size": 256}}, {"name": "maccs"})
N = 60


@pytest.fixture
def train(resources):
    rows = [f"{row['smiles']},{row[ESOL_TARGET]}" for row in rows_of("esol.csv")[:100]]
    content = "\n".join(["smiles,y", *rows])
    dataset_id, _ = ingested(resources, content, name="esol", roles={"y": "target"})

    def trained(name, features=FEATURES, alpha=1.0):
        params = TrainParams(
            dataset="esol",
            dataset_id=dataset_id,
            name=name,
            targets=("y",),
            bootstrap=0,
            calibration_folds=2,
            features=features,
            algorithm={"name": "ridge", "params": {"alpha": alpha}},
        )
        outcome = training.run(resources, job_context(resources, "train"), params)
        with resources.database.session() as session:
            return (outcome.result | outcome.commit(session))["model_id"]

    return trained


@pytest.fixture
def file_id(resources):
    """Good rows, two that are refused, and one that a spreadsheet would run."""
    lines = [f"m{n},{row['smiles']}" for n, row in enumerate(rows_of("freesolv.csv")[: N - 3])]
    lines += ["=1+1,CCO", "x,not a molecule", "y,C(C)(C)(C)(C)C"]
    return stored_file(resources, "id,smiles\n" + "\n".join(lines) + "\n")


def predict(resources, model, file_id, *, fail=(), **options):
    """(outcome, context, rows of predictions.parquet)"""
    params = PredictParams(model="esol", file_id=file_id, model_id=model, **options)
    context = SilentContext(project_id=PROJECT)
    outcome = run_fan_out(prediction, resources, context, params, fail=fail)
    return outcome, context, pq.read_table(made(resources, context, "parquet")).to_pylist()


def made(resources, context, ending):
    key = f"predictions/{context.job_id}/1/predictions.{ending}"
    return resources.storage.local_path(key)


def test_features_of_the_same_file_are_not_computed_twice(resources, train, file_id, monkeypatch):
    first_model, second_model = train("first"), train("second", alpha=100.0)
    cold, _, expected = predict(resources, second_model, file_id, cache=False)
    assert not cold.result["cached_features"]
    assert not list(resources.storage.list("prepared/"))
    assert not predict(resources, first_model, file_id)[0].result["cached_features"]

    def never(*args, **kwargs):
        raise AssertionError("read, standardized or featurized again")

    for name in ("chunk.structures_of", "chunk.read_part", "service.write_parts"):
        monkeypatch.setattr(f"app.prediction.{name}", never)
    monkeypatch.setattr("app.prediction.featurized.featurize_structures", never)
    warm, _, found = predict(resources, second_model, file_id, chunk_rows=7)
    assert warm.result["cached_features"]
    assert warm.result["chunks"] == 9
    assert warm.counts == cold.counts == {"rows_total": N, "rows_ok": N - 2, "rows_failed": 2}
    assert [row.keys() for row in found] == [row.keys() for row in expected]
    for one, other in zip(found, expected, strict=True):
        for name, value in other.items():
            same = pytest.approx(value, rel=1e-5, abs=1e-5) if isinstance(value, float) else value
            assert one[name] == same, name


def test_other_features_or_another_reading_are_another_entry(resources, train, file_id):
    predict(resources, train("first"), file_id)
    other = train("other", features=({"name": "maccs"},))
    assert not predict(resources, other, file_id)[0].result["cached_features"]
    model = train("third")
    again = predict(resources, model, file_id, smiles_column="smiles")[0]
    assert not again.result["cached_features"]
    assert predict(resources, model, file_id)[0].result["cached_features"]


def test_a_chunk_that_crashed_leaves_no_entry_and_is_explained_from_one(resources, train, file_id):
    model = train("first")
    _, _, rows = predict(resources, model, file_id, fail={0}, chunk_rows=20)
    assert {row["reason"] for row in rows} >= {"it crashed"}
    assert not predict(resources, model, file_id)[0].result["cached_features"]
    _, _, rows = predict(resources, model, file_id, fail={1}, chunk_rows=20)
    assert [row["row"] for row in rows if row["reason"] == "it crashed"] == list(range(21, 41))
    assert rows[20]["id"] == "m20"


def test_entries_are_bounded_in_time_and_size(resources, train, file_id, monkeypatch):
    storage, model = resources.storage, train("first")
    predict(resources, model, file_id, chunk_rows=1000)
    entries = list(storage.list("prepared/"))
    assert len(entries) == 2  # one part, its manifest
    assert clean_up_prepared(storage, most_bytes=0, days=1) == 0  # used a moment ago
    now = time.time()
    monkeypatch.setattr("app.prediction.prepared.time.time", lambda: now + 7 * 3600)
    assert clean_up_prepared(storage, most_bytes=10**9, days=1) == 0
    assert clean_up_prepared(storage, most_bytes=10, days=1) == len(entries)
    monkeypatch.undo()
    predict(resources, model, file_id, chunk_rows=1000)
    monkeypatch.setattr("app.prediction.prepared.time.time", lambda: now + 2 * 86_400)
    assert clean_up_prepared(storage, most_bytes=10**9, days=1) == len(entries)


def test_the_csv_says_what_the_parquet_says(resources, train, file_id):
    _, context, rows = predict(resources, train("first"), file_id)
    with made(resources, context, "csv").open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert len(found) == N
    for cells, row in zip(found, rows, strict=True):
        for name, value in row.items():
            if isinstance(value, float):
                assert float(cells[name]) == value, name
                continue
            said = "" if value is None else str(value)
            assert cells[name] == (f"'{said}" if said.startswith("=") else said), name
    assert found[N - 3]["id"] == "'=1+1"


def test_sdf_has_a_record_for_each_row_with_the_answer_as_properties(resources, train, file_id):
    outcome, context, rows = predict(
        resources, train("first"), file_id, formats=["sdf"], chunk_rows=1000
    )
    records = list(
        Chem.SDMolSupplier(str(made(resources, context, "sdf")), sanitize=True, removeHs=False)
    )
    assert len(records) == len(rows) == outcome.counts["rows_total"]
    for mol, row in zip(records, rows, strict=True):
        values = mol.GetPropsAsDict(autoConvertStrings=False)
        expected = {name: str(value) for name, value in row.items() if value is not None}
        assert {name: values[name] for name in expected} == expected
        if row["status"] == "ok":
            assert Chem.MolToSmiles(mol) == row["canonical_smiles"]
            assert np.ptp(mol.GetConformer().GetPositions(), axis=0)[:2].any() or (
                mol.GetNumAtoms() == 1
            )
        else:
            assert mol.GetNumAtoms() == 0
    assert records[0].GetProp("_Name") == "m0"
    with pytest.raises(Exception, match="csv"):
        made(resources, context, "csv")


def test_sdf_keeps_the_coordinates_that_it_was_given(resources, train):
    mol = Chem.MolFromSmiles("CCO")
    conformer = Chem.Conformer(3)
    for atom in range(3):
        conformer.SetAtomPosition(atom, (atom + 0.25, 1.5, 0.0))
    mol.AddConformer(conformer)
    mol.SetProp("_Name", "ethanol")
    model, file_id = (
        train("first"),
        stored_file(resources, Chem.MolToMolBlock(mol) + "\n$$$$\n", "f.sdf"),
    )
    for _ in range(2):  # the second time the features are in the cache, coordinates are not
        _, context, _ = predict(resources, model, file_id, formats=["sdf"])
        (found,) = Chem.SDMolSupplier(str(made(resources, context, "sdf")))
        assert found.GetProp("_Name") == "ethanol"
        assert found.GetConformer().GetPositions()[:, 0] == pytest.approx([0.25, 1.25, 2.25])


@pytest.fixture
def measured(resources):
    """Says that the latest chunk of a model took so many seconds a row."""
    from psycopg.types.json import Jsonb

    def tell(model, seconds, *, featurized):
        with resources.database.cursor() as cursor:
            job = job_context(resources, "predict").job_id
            cursor.execute(
                "UPDATE jobs SET params = %s, project_id = %s WHERE id = %s",
                (Jsonb({"model_id": str(model)}), PROJECT, job),
            )
            cursor.execute(
                "INSERT INTO job_chunks (job_id, chunk, root, source, start_row, stop_row, state,"
                " planned_in, result, finished_at) VALUES (%s, 0, 0, '{}', 0, 10, 'succeeded', 1,"
                " %s, now())",
                (job, Jsonb({"rows": 10, "seconds": 10 * seconds, "featurized": featurized})),
            )

    return tell


def test_chunks_are_sized_by_what_earlier_ones_took(resources, train, file_id, measured):
    model = train("first")
    measured(model, 0.5, featurized=False)
    params = PredictParams(model="esol", file_id=file_id, model_id=model)
    context = SilentContext(project_id=PROJECT)
    chunks = prediction.plan(resources, context, params).chunks
    sizes = [chunk.stop_row - chunk.start_row for chunk in chunks]
    # 60 rows of 0.5 s for one process: half of what is left each time
    assert sizes == [30, 15, 8, 4, 2, 1]
    assert context.events[0][1]["measured_by"] == "chunks"
    by_hand = params.model_copy(update={"chunk_rows": 1000})
    assert len(prediction.plan(resources, SilentContext(project_id=PROJECT), by_hand).chunks) == 1


def test_blocks_are_not_cut_where_predicting_is_what_costs(resources, train, measured):
    model = train("first")
    measured(model, 0.5, featurized=False)
    measured(model, 0.1, featurized=True)
    file_id = stored_file(resources, "smiles\n" + "CCO\n" * 600)
    params = PredictParams(model="esol", file_id=file_id, model_id=model)
    chunks = prediction.plan(resources, SilentContext(project_id=PROJECT), params).chunks
    assert [chunk.stop_row - chunk.start_row for chunk in chunks] == [256, 256, 88]


def test_a_table_has_no_sdf(resources):
    rows = "".join(f"{n},{n % 7},{2 * n + n % 7}\n" for n in range(60))
    dataset_id, _ = ingested(resources, "a,b,y\n" + rows, name="t", roles={"y": "target"})
    params = TrainParams(
        dataset="t", dataset_id=dataset_id, bootstrap=0, algorithm={"name": "ridge"}
    )
    outcome = training.run(resources, job_context(resources, "train"), params)
    with resources.database.session() as session:
        model = (outcome.result | outcome.commit(session))["model_id"]
    file_id = stored_file(resources, "a,b\n1,2\n3,4\n")
    with pytest.raises(InvalidInput, match="no structures"):
        predict(resources, model, file_id, formats=["sdf"])
    assert predict(resources, model, file_id)[0].counts["rows_ok"] == 2
