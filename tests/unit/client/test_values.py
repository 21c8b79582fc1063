"""What people put in, and what they see in a notebook."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
from rdkit import Chem

from retort.inputs import as_inputs
from retort.predictions import Predictions
from retort.records import DatasetRecord, JobRecord, ModelRecord
from retort.tables import uploadable
from retort.testing import FakeRetort


def test_inputs_of_every_kind():
    mol = Chem.MolFromSmiles("OCC")
    mol.SetProp("_Name", "ethanol")
    assert list(as_inputs("CCO")) == ["CCO"]
    assert list(as_inputs(["CCO", {"smiles": "C", "id": "1"}, mol, None, float("nan")])) == [
        "CCO",
        {"smiles": "C", "id": "1"},
        {"smiles": "CCO", "id": "ethanol"},
        "",
        "",
    ]
    assert list(as_inputs(mol)) == [{"smiles": "CCO", "id": "ethanol"}]
    assert list(as_inputs(pd.Series(["C", "CC"]))) == ["C", "CC"]
    with pytest.raises(TypeError, match="int"):
        list(as_inputs([3]))


def test_frames_are_molecules_or_rows_of_a_table():
    molecules = pd.DataFrame({"SMILES": ["C", None], "id": [7, 8], "y": [1.0, 2.0]})
    assert list(as_inputs(molecules)) == [{"smiles": "C", "id": "7"}, {"smiles": "", "id": "8"}]
    when = pd.Timestamp("2026-01-02")
    rows = pd.DataFrame({"tenure": [np.int64(3)], "gap": [np.nan], "when": [when]})
    (row,) = as_inputs(rows)
    assert row == {"features": {"tenure": 3, "gap": None, "when": "2026-01-02T00:00:00"}}
    json.dumps(row)
    assert list(as_inputs([{"tenure": 3}])) == [{"features": {"tenure": 3}}]


def test_polars_frames_and_series():
    pl = pytest.importorskip("polars", reason="optional, and 50 MB: not in the locked set")
    frame = pl.DataFrame({"smiles": ["C", None], "y": [1.0, 2.0]})
    assert list(as_inputs(frame)) == [{"smiles": "C"}, {"smiles": ""}]
    assert list(as_inputs(frame["smiles"])) == ["C", ""]
    assert uploadable(frame, "d").open().read() == b"smiles,y\nC,1.0\n,2.0\n"
    assert answers().to_polars().shape == (2, 8)


@pytest.mark.parametrize(
    "data",
    [
        [{"smiles": "C", "y": 1.0}, {"smiles": "CC", "y": None}],
        pd.DataFrame({"smiles": ["C", "CC"], "y": [1.0, None]}),
    ],
)
def test_tables_from_memory_become_csv(data):
    source = uploadable(data, "mols")
    assert source.name == "mols.csv"
    assert source.open().read() == b"smiles,y\nC,1.0\nCC,\n"


def test_smiles_and_molecules_become_csv():
    mol = Chem.MolFromSmiles("OCC")
    mol.SetDoubleProp("y", 2.5)
    assert uploadable(["C", "CC"]).open().read() == b"smiles\nC\nCC\n"
    assert uploadable([mol]).open().read() == b"smiles,y\nCCO,2.5\n"
    with pytest.raises(TypeError, match="DataFrame"):
        uploadable([1, 2])
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        uploadable("nowhere.csv")


def answers():
    numbers = {"y": {"value": 1.5, "interval": [1.0, 2.0], "level": 0.9}}
    return Predictions(
        [
            {"id": "a", "input": "CCO", "canonical_smiles": "CCO", "status": "ok", "reason": None}
            | {"targets": numbers},
            {"id": None, "input": "<b>x</b>", "canonical_smiles": None, "status": "error"}
            | {"reason": "no & never", "targets": {}},
        ]
    )


def test_predictions_as_a_frame_have_one_row_for_each_input():
    frame = answers().to_pandas()
    assert list(frame["status"]) == ["ok", "error"]
    assert frame["y"].iloc[0] == 1.5
    assert np.isnan(frame["y"].iloc[1])
    assert frame["y_lower"].iloc[0] == 1.0
    classes = Predictions(
        [{"input": "C", "status": "ok", "targets": {"y": {"class": "good", "value": 0.8}}}]
    )
    assert classes[0].value == "good"
    two = Predictions([{"status": "ok", "targets": {"a": {"value": 1}, "b": {"value": 2}}}])
    with pytest.raises(ValueError, match="several"):
        _ = two[0].value


def test_notebooks_draw_molecules_and_escape_what_came_from_outside(monkeypatch):
    page = answers()._repr_html_()
    assert page.count("<svg") == 1
    assert "<b>x</b>" not in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "no &amp; never" in page
    monkeypatch.setattr("retort.drawing.available", lambda: False)
    assert "<svg" not in answers()._repr_html_()


EVIL = "<script>alert(1)</script>"


def test_everything_shown_in_a_notebook_is_escaped():
    error = {"detail": EVIL, "remedy": EVIL}
    job = JobRecord({"id": EVIL, "kind": EVIL, "state": EVIL, "error": error, "progress": {}})
    column = {"name": EVIL, "role": EVIL, "type": EVIL, "unit": EVIL}
    dataset = DatasetRecord({"ref": EVIL, "state": EVIL, "columns": [column]})
    metrics = {"test": {EVIL: {EVIL: {"value": 1.0}}}, "baseline": {}}
    model = ModelRecord(
        {"ref": EVIL, "algorithm": EVIL, "task": EVIL, "aliases": [EVIL], "metrics": metrics}
    )
    for shown in (job, dataset, model):
        page = shown._repr_html_()
        assert "<script" not in page
        assert page.count("&lt;script") >= 3


def test_a_job_shows_a_bar():
    client = FakeRetort()
    dataset = client.datasets.create([{"smiles": "CCO", "y": 1}], "d", target="y")
    job = client.train(dataset)
    assert "width:0%" in job._repr_html_()
    job.refresh()
    assert "width:50%" in job._repr_html_()
    job.wait()
    assert "width:100%" in job._repr_html_()
    assert "d:1" in dataset._repr_html_()
    assert "rmse" in job.result()._repr_html_()


def test_records_are_dicts_in_every_way():
    client = FakeRetort()
    client.datasets.create([{"smiles": "CCO", "y": 1}], "d", target="y")
    job = client.train("d")
    assert job["id"] == job.id
    assert json.loads(json.dumps(job)) == job
    copied = copy.deepcopy(job)  # as pickle would, by __reduce__
    assert copied == job
    assert type(copied) is dict
    assert {**job}["kind"] == "train"
