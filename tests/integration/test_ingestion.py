"""Ingest on real storage and Postgres, without workers: accounting, merging, refusals."""

import csv
import io

import pytest

from app.core.errors import InvalidInput
from app.core.hashing import sha256_of_file
from app.core.work import SilentContext
from app.datasets.params import IngestParams
from app.datasets.records import create_dataset, load_dataset
from app.db.base import DEFAULT_PROJECT_ID
from app.db.datasets import DatasetRow
from app.db.files import FileRow
from app.ingestion import service
from tests.support.inprocess import run_fan_out
from tests.support.molecules import DATA


@pytest.fixture
def ingest(resources):
    def run(content, name="f.csv", *, fail=(), **options):
        data = content if isinstance(content, bytes) else content.encode()
        resources.storage.write("uploads/f", data)
        with resources.database.session() as session:
            file = FileRow(
                name=name, media_type="text/csv", size=1, sha256="0" * 64, storage_key="uploads/f"
            )
            session.add(file)
            session.flush()
            row = create_dataset(
                session,
                project_id=DEFAULT_PROJECT_ID,
                name="d",
                file_id=file.id,
                job_id=None,
                created_by="t",
            )
            params = IngestParams(file_id=file.id, name="d", dataset_id=row.id, **options)
        context = SilentContext(project_id=DEFAULT_PROJECT_ID)
        outcome = run_fan_out(service, resources, context, params, fail=fail)
        with resources.database.session() as session:
            result = outcome.result | outcome.commit(session)
        return load_dataset(resources, row.id), result

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
