"""Ingest on real storage and Postgres, without workers: accounting, merging, refusals."""

import csv
import io

import pandas as pd
import pyarrow as pa
import pytest

from app.core.errors import InvalidInput
from app.core.hashing import sha256_of_file
from app.datasets.records import load_dataset
from app.db.datasets import DatasetRow
from tests.support.datasets import ingested
from tests.support.molecules import DATA


@pytest.fixture
def ingest(resources):
    def run(content, name="f.csv", **options):
        dataset_id, result = ingested(resources, content, name, **options)
        return load_dataset(resources, dataset_id), result

    return run


def rejected(resources, dataset):
    text = resources.storage.read(f"{dataset.folder_key}/rejected.csv").decode()
    return list(csv.DictReader(io.StringIO(text)))


def test_replicates_are_merged_by_the_stated_rule(ingest, resources):
    """Numbers: arithmetic mean. Classes: majority, a tie is a missing label. By hand."""
    dataset, result = ingest(
        "smiles,y,active\nCCO,1,yes\nOCC,2,no\nC(O)C,6,no\nCCC,5,yes\nCCN,,no\nNCC,4,yes\n"
    )
    rows = {r["smiles"]: r for r in dataset.table.to_pylist()}
    assert rows["CCO"]["y"] == 3.0
    assert rows["CCO"]["active"] == "no"
    assert rows["CCO"]["merged_rows"] == "1 2 3"
    assert rows["CCN"]["y"] == 4.0
    assert rows["CCN"]["active"] is None, "one yes, one no"
    assert (result["rows_in"], result["rows_ok"], result["rows_merged"]) == (6, 3, 3)
    with resources.database.session() as session:
        report = session.get(DatasetRow, dataset.id).report
    assert report["duplicates"]["structures"] == 2
    named = {(c["target"], tuple(c["rows"])): c for c in report["duplicates"]["named"]}
    assert named["y", (1, 2, 3)]["spread"] == 5.0


@pytest.mark.parametrize(("rule", "rows"), [("keep_first", 2), ("keep_all", 3)])
def test_other_rules(ingest, rule, rows):
    dataset, _ = ingest("smiles,y\nCCO,1\nOCC,2\nCCC,3\n", duplicates=rule)
    assert len(dataset.smiles) == rows
    assert dataset.column("y")[0] == 1.0


def test_every_refused_row_says_its_number_value_and_reason(ingest, resources):
    dataset, result = ingest(
        "smiles,y\nCCO,1\nxx(,2\n=cmd(),3\nCCC,many\nCCN\n", max_bad_fraction=0.9
    )
    found = rejected(resources, dataset)
    assert [(int(r["row"]), r["value"]) for r in found] == [
        (2, "xx("),
        (3, "'=cmd()"),
        (4, "CCC"),
        (5, "CCN"),
    ]
    assert "not a number" in found[2]["reason"]
    assert "cells" in found[3]["reason"]
    assert result["rows_in"] == 5 == result["rows_ok"] + result["rows_rejected"]


def test_too_many_refused_rows_make_no_data_set(ingest):
    with pytest.raises(InvalidInput, match="3 of 4 rows") as refused:
        ingest("smiles,y\nCCO,1\nx(,2\ny(,3\nz(,4\n", roles={"smiles": "smiles"})
    assert [e["pointer"] for e in refused.value.errors] == ["row 2", "row 3", "row 4"]


def test_a_chunk_that_crashed_costs_its_rows_only(ingest, resources):
    lines = "".join(f"{'C' * (n % 60 + 1)}O,{n}\n" for n in range(2500))
    dataset, result = ingest("smiles,y\n" + lines, fail=(1,))
    assert result["rows_in"] == 2500
    assert result["rows_rejected"] == 1000
    found = rejected(resources, dataset)
    assert [int(r["row"]) for r in found] == list(range(1001, 2001))
    assert {r["reason"] for r in found} == {"it crashed"}


def test_the_same_file_gives_the_same_bytes(ingest, resources):
    content = (DATA / "freesolv.csv").read_bytes()
    first, _ = ingest(content)
    second, _ = ingest(content)
    paths = [resources.storage.local_path(f"{d.folder_key}/clean.parquet") for d in (first, second)]
    assert sha256_of_file(paths[0]) == sha256_of_file(paths[1]) == first.sha256


TELCO = (DATA / "telco_churn.csv").read_bytes()


@pytest.mark.req("S1-35", "goal-25")
def test_a_table_without_molecules_is_read_by_type(ingest, resources):
    """7,043 customers, 11 of them without TotalCharges (counted with pandas)."""
    frame = pd.read_csv(io.BytesIO(TELCO))
    dataset, result = ingest(TELCO, "telco.csv")
    with resources.database.session() as session:
        row = session.get(DatasetRow, dataset.id)
    assert row.kind == "table"
    assert (result["rows_in"], result["rows_ok"]) == (len(frame), len(frame))
    assert dataset.named("target") == ["Churn"]
    assert len(dataset.named("feature")) == 19
    charges = pd.to_numeric(frame["TotalCharges"], errors="coerce")
    assert dataset.table.column("TotalCharges").null_count == charges.isna().sum() == 11
    assert dataset.table.column("TotalCharges").to_pandas().sum() == pytest.approx(charges.sum())
    assert dataset.column("Churn") == frame["Churn"].tolist()
    assert dataset.column("SeniorCitizen") == [str(v) for v in frame["SeniorCitizen"]]


def test_rows_of_a_table_equal_in_every_cell_are_merged_only_with_an_identifier(ingest):
    lines = "x,y\n1,a\n1,a\n2,b\n2,c\n"
    _, plain = ingest(lines, roles={"y": "target"})
    assert (plain["rows_ok"], plain["rows_merged"]) == (4, 0)
    identified = "sample_id,x,y\ns1,1,a\ns1,1,a\ns2,2,b\ns3,2,b\n"
    dataset, found = ingest(identified, roles={"y": "target"})
    assert (found["rows_ok"], found["rows_merged"]) == (3, 1)
    assert dataset.column("merged_rows") == ["1 2", "3", "4"]


def test_a_row_of_a_table_is_refused_with_a_reason(ingest, resources):
    text = "taken,x,y\n2024-01-02,1,5\n2024-01-03,two,6\n,,\n2024-01-05,4,many\n" + (
        "2024-01-06,5,8\n" * 6
    )
    dataset, result = ingest(text, roles={"y": "target"})
    found = rejected(resources, dataset)
    assert [(int(r["row"]), r["reason"]) for r in found] == [(3, "y is not a number: 'many'")]
    assert result["rows_in"] == 9, "a line of separators is a blank line, not a row"
    assert dataset.column("x")[1] is None, "a feature that cannot be read is missing, and counted"
    assert dataset.table.schema.field("taken").type == pa.timestamp("us")


def test_columns_called_like_ours_keep_their_values(ingest):
    dataset, _ = ingest("row,n_merged,y\n7,1,1.5\n8,2,2.5\n9,3,3.5\n", roles={"y": "target"})
    assert dataset.rows == [1, 2, 3]
    assert dataset.column("row_") == [7.0, 8.0, 9.0]
