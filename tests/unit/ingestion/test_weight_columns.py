"""Weights: read as numbers, averaged with merged rows, refused where they say nothing."""

import pyarrow as pa
import pytest

from app.core.errors import InvalidInput
from app.datasets.columns import guess_columns
from app.ingestion.merging import Replicates, structure_identities
from app.ingestion.service import _stage
from app.ingestion.staging import Staged

NAMES = ["a", "w", "y"]
ROWS = [{"a": str(n), "w": str(n % 2), "y": str(n / 3)} for n in range(12)]


class Layout:
    """Of a table, as far as one row's staging looks at it."""

    structure = None
    decimal = "."
    names = ("a", "w", "y")


def columns(**roles):
    return guess_columns(NAMES, ROWS, roles, kind="table")


def test_a_weight_is_a_number_also_where_it_is_0_or_1():
    found = {column["name"]: column for column in columns(w="weight", y="target")}
    assert (found["w"]["role"], found["w"]["type"]) == ("weight", "number")
    assert found["a"]["role"] == "feature"


def test_two_columns_of_weights_are_refused():
    with pytest.raises(InvalidInput, match="two columns have the role weight") as refused:
        columns(w="weight", a="weight", y="target")
    assert [error["pointer"] for error in refused.value.errors] == ["/roles/w", "/roles/a"]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("0.5", None),
        ("0", None),
        ("-1", "w is a weight, which is 0 or more, not '-1'"),
        ("", "w is a weight, which is 0 or more, not ''"),
        ("much", "w is no number"),
    ],
)
def test_a_row_without_a_weight_is_refused_by_name(cell, reason, monkeypatch):
    monkeypatch.setattr("app.ingestion.service.shown_structure", lambda row, layout: "")
    staged = Staged(molecules=False, values=columns(w="weight", y="target"), kept=[])
    row = {"__row__": 7, "__raw__": "", "a": "1", "w": cell, "y": "2"}
    _stage(staged, Layout(), row, None)
    if reason is None:
        assert staged.rows == [7]
        assert staged.cells["w"] == [float(cell)]
    else:
        assert staged.rows == []
        assert staged.refused[0].row == 7
        assert staged.refused[0].reason.startswith(reason.split(" no ")[0])


def test_weights_of_merged_rows_are_averaged_and_are_no_conflict():
    part = pa.table(
        {
            "row": pa.array([1, 2, 3], pa.int64()),
            "smiles": ["CO", "CO", "CC"],
            "input_smiles": ["CO", "OC", "CC"],
            "y": [1.0, 1.0, 5.0],
            "w": [0.2, 0.6, 1.0],
        }
    )
    of = {"type": "number", "role": "target", "name": "y"}
    replicates = Replicates(
        targets=[of],
        weights=[{"type": "number", "role": "weight", "name": "w"}],
        identities=structure_identities,
    )
    replicates.count(part)
    replicates.collect(part, 0)
    merged = replicates.merge(part, 0)
    assert merged.column("w").to_pylist() == [pytest.approx(0.4), 1.0]
    assert replicates.n_conflicts == 0
