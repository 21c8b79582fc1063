"""Ingest on real storage and Postgres, without workers: accounting, merging, refusals."""

import csv
import io

import orjson
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


# ---- the report


def report_of(resources, dataset):
    with resources.database.session() as session:
        return session.get(DatasetRow, dataset.id).report


@pytest.mark.req("S1-35")
def test_the_report_counts_scaffolds_sizes_and_elements(ingest, resources):
    """By hand: two benzenes (one scaffold), one pyridine (once), two acyclic, a merged one."""
    dataset, _ = ingest("smiles,y\nc1ccccc1C,3\nc1ccccc1CC,2\nc1ccncc1C,1\nCCO,4\nCCCl,5\nOCC,4\n")
    found = report_of(resources, dataset)["molecules"]
    assert found["scaffolds"] == {
        "distinct": 2,
        "acyclic": 2,
        "singletons": 0.5,
        "top": [{"smiles": "c1ccccc1", "count": 2}, {"smiles": "c1ccncc1", "count": 1}],
    }
    assert found["heavy_atoms"] == {"min": 3, "median": 7.0, "max": 8}
    assert found["elements"] == {"C": 6, "O": 2, "Cl": 1, "N": 1}
    assert found["examples"]["order"] == "y"
    assert [m["values"]["y"] for m in found["examples"]["molecules"]] == [1, 2, 3, 4, 5]


def test_scaffolds_are_those_of_rdkit_on_real_molecules(ingest, resources):
    from collections import Counter

    from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmilesFromSmiles

    dataset, _ = ingest((DATA / "freesolv.csv").read_bytes())
    expected = Counter(MurckoScaffoldSmilesFromSmiles(smiles) for smiles in dataset.smiles)
    found = report_of(resources, dataset)["molecules"]["scaffolds"]
    assert found["acyclic"] == expected.pop("")
    assert found["distinct"] == len(expected)
    assert [t["count"] for t in found["top"]] == [n for _, n in expected.most_common(20)]
    assert all(expected[t["smiles"]] == t["count"] for t in found["top"])


def test_the_report_of_a_table_has_figures_of_each_column(ingest, resources):
    frame = pd.read_csv(io.BytesIO(TELCO))
    frame["plan"] = "only"
    dataset, _ = ingest(frame.to_csv(index=False), "t.csv", roles={"plan": "feature"})
    report = report_of(resources, dataset)
    charges = pd.to_numeric(frame["TotalCharges"], errors="coerce")
    found = report["statistics"]["TotalCharges"]
    assert (found["n"], found["missing"]) == (7032, 11)
    assert found["distinct"] == charges.nunique()
    assert found["mean"] == pytest.approx(charges.mean())
    assert found["median"] == pytest.approx(charges.median())
    assert sum(found["histogram"]["counts"]) == 7032
    assert report["statistics"]["Contract"]["classes"] == dict(frame["Contract"].value_counts())
    assert report["targets"]["Churn"]["classes"] == dict(frame["Churn"].value_counts())
    assert report["constant"] == ["plan"]
    assert report["molecules"] is None


def test_reasons_are_counted_without_the_value(ingest, resources):
    lines = "".join(f"{'C' * n}O,{'x' * n}\n" for n in range(1, 9))
    dataset, _ = ingest(f"smiles,y\nCCN,1\nCCF,2\nxx(,3\n{lines}", roles={"y": "target"})
    report = report_of(resources, dataset)
    assert report["reasons"]["RDKit cannot read it (syntax)"] == 1
    assert sum(report["reasons"].values()) == report["counts"]["rows_rejected"]
    assert len(report["reasons"]) <= 3


def test_rejected_rows_come_with_their_cells(ingest, resources):
    long = "C" * 4_100
    dataset, _ = ingest(
        f"smiles,y,who,reason\nCCO,1,a,r\nCCC,2,b,s\nx(,3,=evil,t\nx){long},4,d,u\n"
    )
    short, big = rejected(resources, dataset)
    assert (short["smiles"], short["y"], short["who"]) == ("x(", "3", "'=evil")
    assert (short["reason (input)"], short["reason"]) == ("t", "RDKit cannot read it (syntax)")
    assert big["who"] == "", "the cells of a long row are left out"
    assert big["value"].startswith("x)CCC")


def test_the_page_is_stored_and_its_hash_is_in_the_manifest(ingest, resources):
    dataset, _ = ingest("smiles,y\nCCO,1\nOCC,2\nCCC,3\n")
    manifest = orjson.loads(resources.storage.read(f"{dataset.folder_key}/manifest.json"))
    for name in ("clean.parquet", "replicates.parquet", "report.html", "report.json"):
        path = resources.storage.local_path(f"{dataset.folder_key}/{name}")
        assert manifest["sha256"][name] == sha256_of_file(path)
    page = resources.storage.read(f"{dataset.folder_key}/report.html").decode()
    assert "<title>d:1: data report</title>" in page
    assert "1, 2 → <b>1.5</b>" in page.replace("1.0", "1").replace("2.0", "2")


def test_rows_stay_in_order_when_a_chunk_was_divided(ingest, resources, monkeypatch):
    """The pieces of a chunk that crashed come after all others by number."""
    from app.core.work import ChunkSpec, FanOut
    from app.ingestion import service

    plan = service.plan

    def divided(*args):
        first, *rest = plan(*args).chunks
        pieces = [ChunkSpec(source=first.source, start_row=a, stop_row=a + 500) for a in (0, 500)]
        return FanOut(chunks=[*rest, *pieces])

    monkeypatch.setattr(service, "plan", divided)
    lines = "".join(f"{'C' * (n % 60 + 1)}{'O' if n % 7 else 'x'},{n}\n" for n in range(2500))
    dataset, _ = ingest("smiles,y\n" + lines, duplicates="keep_all")
    assert dataset.rows == sorted(dataset.rows)
    numbers = [int(row["row"]) for row in rejected(resources, dataset)]
    assert numbers == sorted(numbers)
    assert len(numbers) > 300
