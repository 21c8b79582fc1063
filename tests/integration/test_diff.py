"""Differences between two versions, against what is written down plainly."""

import random

import pytest

from app.core.errors import InvalidInput
from app.ingestion import diff as module
from app.ingestion.diff import diff
from tests.support.datasets import ingested
from tests.support.molecules import DATA


@pytest.fixture
def compare(resources):
    def run(before, after, **options):
        old, _ = ingested(resources, before, **options)
        new, _ = ingested(resources, after, **options)
        return diff(resources, {"dataset": str(new), "against": str(old)})

    return run


def counts(found):
    rows = found["rows"]
    return tuple(rows[name] for name in ("added", "removed", "changed", "unchanged"))


def test_the_same_file_twice_is_equal(compare):
    content = (DATA / "freesolv.csv").read_bytes()
    found = compare(content, content)
    assert found["equal"]
    assert counts(found) == (0, 0, 0, found["rows"]["before"])
    assert found["examples"] == {"added": [], "removed": [], "changed": []}


def test_the_same_rows_in_another_order_and_spelling_are_equal(compare):
    found = compare("smiles,y\nCCO,1\nCCC,2\nc1ccccc1,\n", "smiles,y\nC1=CC=CC=C1,\nCCC,2\nOCC,1\n")
    assert found["equal"]
    assert counts(found) == (0, 0, 0, 3)


def test_rows_are_matched_by_structure(compare):
    found = compare(
        "smiles,y,note\nCCO,1,a\nCCC,2,b\nCCN,3,c\nCCF,,d\n",
        "smiles,y,note\nCCCl,9,n\nOCC,1.5,a\nCCN,3,c\nCCF,4,d\n",
    )
    assert counts(found) == (1, 1, 2, 1)
    assert found["matched_by"] == "smiles"
    assert [row["smiles"] for row in found["examples"]["added"]] == ["CCCl"]
    assert [row["smiles"] for row in found["examples"]["removed"]] == ["CCC"]
    changed = found["examples"]["changed"]
    assert changed[0] == {
        "smiles": "CCO",
        "row_before": 1,
        "row": 2,
        "values": {"y": {"before": 1.0, "after": 1.5}},
    }
    assert changed[1]["values"] == {"y": {"before": None, "after": 4.0}}


def test_a_missing_value_is_neither_zero_nor_empty(compare):
    found = compare(
        "smiles,y,a\nCCO,,0\nCCC,0,1\nCCN,5,0\n", "smiles,y,a\nCCO,0,0\nCCC,-0.0,1\nCCN,5,\n"
    )
    assert counts(found) == (0, 0, 2, 1), "-0.0 is 0.0"
    assert found["examples"]["changed"][0]["values"] == {"y": {"before": None, "after": 0.0}}


def test_columns_added_removed_and_changed(compare):
    found = compare("smiles,y,a\nCCO,1,5\nCCC,2,6\n", "smiles,y,b\nCCO,x,5\nCCC,z,6\n")
    assert (found["columns"]["added"], found["columns"]["removed"]) == (["b"], ["a"])
    (changed,) = found["columns"]["changed"]
    assert changed["name"] == "y"
    assert (changed["before"]["type"], changed["after"]["type"]) == ("number", "binary")
    assert not found["equal"]


def test_a_table_is_matched_by_its_identifier(compare):
    before = "who_id,x,y\ns1,1,0\ns2,2,1\ns3,3,0\n"
    found = compare(before, "who_id,x,y\ns3,3,0\ns2,7,1\ns4,4,1\n", roles={"y": "target"})
    assert found["matched_by"] == "who_id"
    assert counts(found) == (1, 1, 1, 1)
    assert found["examples"]["changed"][0]["values"] == {"x": {"before": 2.0, "after": 7.0}}


def test_a_table_without_identifier_is_matched_row_by_row(compare):
    """Repeated rows count as often as they are there."""
    before = "x,y\n" + "1,0\n" * 3 + "2,1\n" * 2 + "3,1\n"
    found = compare(before, "x,y\n" + "1,0\n" * 2 + "2,1\n" * 4, roles={"y": "target"})
    assert found["matched_by"] == "row"
    assert counts(found) == (2, 2, 0, 4)


def test_every_row_is_counted_once_whatever_changes(compare):
    """Seeded edits of real molecules, replicates kept; expected by plain dictionaries."""
    rng = random.Random(3)
    lines = (DATA / "freesolv.csv").read_text().splitlines()
    header, rows = lines[0], lines[1:300]
    kept = [row for row in rows if rng.random() > 0.1]
    edited = [f"{row.rsplit(',', 1)[0]},-99.5" if rng.random() < 0.2 else row for row in kept]
    rng.shuffle(edited)
    added = lines[300:340]
    found = compare("\n".join([header, *rows]), "\n".join([header, *edited, *added]))
    n_edited = sum(row.endswith(",-99.5") for row in edited)
    assert counts(found) == (40, len(rows) - len(kept), n_edited, len(kept) - n_edited)
    assert len(found["examples"]["changed"]) == min(50, n_edited)


def test_what_is_too_large_is_refused_with_a_remedy(compare, monkeypatch):
    monkeypatch.setattr(module, "_MAX_ROWS", 3)
    with pytest.raises(InvalidInput, match="4 rows") as refused:
        compare("smiles,y\nCCO,1\nCCC,2\n", "smiles,y\nCCO,1\nCCN,2\n")
    assert "report" in refused.value.problem()["remedy"]
