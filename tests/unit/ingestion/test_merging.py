"""Replicates over parts, against the rule written down plainly."""

import random
from collections import Counter
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.ingestion.merging import Replicates, row_identities, structure_identities

TARGETS = [
    {"name": "y", "role": "target", "type": "number"},
    {"name": "active", "role": "target", "type": "binary"},
]
MOLECULE = st.tuples(
    st.sampled_from(["C", "CC", "CCC", "CCCC", "CO"]),
    st.one_of(st.none(), st.sampled_from([1.0, 2.0, 4.0])),
    st.one_of(st.none(), st.sampled_from(["0", "1"])),
)


def table(rows, first=1):
    return pa.table(
        {
            "row": pa.array(range(first, first + len(rows)), pa.int64()),
            "smiles": pa.array([row[0] for row in rows], pa.string()),
            "input_smiles": pa.array([row[0] for row in rows], pa.string()),
            "y": pa.array([row[1] for row in rows], pa.float64()),
            "active": pa.array([row[2] for row in rows], pa.string()),
        }
    )


def run(parts, rule="merge", identities=structure_identities, targets=TARGETS):
    replicates = Replicates(targets=targets, identities=identities, rule=rule)
    for part in parts:
        replicates.count(part)
    start = 0
    for part in parts:
        replicates.collect(part, start)
        start += len(part)
    rows, start = [], 0
    for part in parts:
        rows += replicates.merge(part, start).to_pylist()
        start += len(part)
    return rows, replicates


def plainly(rows):
    """The rule, row by row in memory."""
    groups = {}
    for number, row in enumerate(rows, start=1):
        groups.setdefault(row[0], []).append((number, *row[1:]))
    expected = []
    for smiles, group in groups.items():
        numbers = [y for _, y, _ in group if y is not None]
        ranked = Counter(a for _, _, a in group if a is not None).most_common()
        tie = len(ranked) > 1 and ranked[0][1] == ranked[1][1]
        expected.append(
            {
                "row": group[0][0],
                "smiles": smiles,
                "input_smiles": smiles,
                "n_merged": len(group),
                "merged_rows": " ".join(str(number) for number, *_ in group),
                "y": sum(numbers) / len(numbers) if numbers else None,
                "active": None if tie or not ranked else ranked[0][0],
            }
        )
    return expected


@settings(deadline=None)
@given(st.lists(MOLECULE, min_size=1, max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_merging_over_parts_is_merging_in_memory(rows, cuts):
    edges = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    parts = [table(rows[a:b], a + 1) for a, b in pairwise(edges)]
    merged, replicates = run(parts)
    assert merged == plainly(rows)
    repeated = [n for n in Counter(row[0] for row in rows).values() if n > 1]
    assert replicates.n_groups == len(repeated)


def test_keep_first_and_keep_all():
    rows = [("C", 1.0, "0"), ("CC", 2.0, "1"), ("C", 5.0, "1"), ("CC", 2.0, "1")]
    parts = [table(rows[:3]), table(rows[3:], 4)]
    first, replicates = run(parts, "keep_first")
    assert [(r["row"], r["y"], r["merged_rows"]) for r in first] == [(1, 1.0, "1"), (2, 2.0, "2")]
    assert replicates.n_conflicts == 0
    everything, _ = run(parts, "keep_all")
    assert [r["row"] for r in everything] == [1, 2, 3, 4]


def test_conflicts_are_named_with_rows_values_spread_and_what_was_kept():
    rows = [("C", 1.0, "0"), ("C", 4.0, "1"), ("C", None, None)] + [("CC", 2.0, "1")] * 2
    _, replicates = run([table(rows)])
    assert replicates.n_conflicts == 2
    number, label = replicates.conflicts
    assert number == {
        "smiles": "C",
        "rows": [1, 2, 3],
        "n_rows": 3,
        "target": "y",
        "values": [1.0, 4.0],
        "spread": 3.0,
        "kept": 2.5,
    }
    assert (label["values"], label["kept"], label["spread"]) == (["0", "1"], None, None)


def test_what_is_kept_of_conflicts_is_bounded():
    rng = random.Random(7)
    rows = [("C", rng.random(), "0") for _ in range(500)]
    rows += [(f"{'C' * n}O", float(x), "0") for n in range(150) for x in range(2)]
    _, replicates = run([table(rows)])
    assert replicates.n_conflicts == 151
    assert len(replicates.conflicts) == 100
    assert (len(replicates.conflicts[0]["rows"]), replicates.conflicts[0]["n_rows"]) == (20, 500)


def test_rows_of_a_table_are_one_when_every_cell_is():
    rows = pa.table({"row": [1, 2, 3], "x": [1.0, 1.0, 1.0], "y": ["a", "a", "b"]})
    merged, _ = run([rows], identities=row_identities, targets=[])
    assert [(row["row"], row["merged_rows"]) for row in merged] == [(1, "1 2"), (3, "3")]


@pytest.mark.parametrize("rule", ["merge", "keep_first", "keep_all"])
def test_no_row_at_all(rule):
    merged, _ = run([table([])], rule)
    assert merged == []
