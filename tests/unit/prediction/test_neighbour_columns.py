"""The nearest training rows in a file: flat columns, null where there is nothing to say."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from app.models.bundle import BundlePredictions
from app.prediction.answers import answer_columns
from app.prediction.results import as_stored
from app.uncertainty.assessor import Assessment
from app.uncertainty.nearest import Nearest
from app.uncertainty.references import ReferenceRows


def columns(*targets, k=3, smiles=("C", "CC", "CCC", "CCCC"), classes=(), y=None):
    """Of three inputs; the second was refused. Neighbours of the others: 2, 0, 1 and 3, 2, 0."""
    t = len(targets)
    y = np.arange(4.0 * t).reshape(4, t) if y is None else y
    known = ReferenceRows(
        numbers=np.array([10, 20, 30, 40]),
        smiles=smiles,
        y=y,
        residuals=np.full((4, t), np.nan),
        keys=np.zeros((4, 8), dtype=np.uint8),
    )
    places = np.array([[2, 0, 1], [3, 2, 0]])[:, :k]
    kept = {"similarity": np.array([True, False]), "leverage": np.array([False, False])}
    said = Assessment(
        lower=None,
        upper=None,
        confidence=np.full((2, t), 0.5),
        leverage=np.zeros(2),
        kept=kept,
        inside=np.array([True, False]),
        nearest=Nearest(
            places=places, similarity=np.array([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4]])[:, :k]
        ),
    )
    manifest = SimpleNamespace(
        targets=targets,
        task="binary" if classes else "regression",
        classes=classes,
        columns=(),
        needs_structures=bool(smiles),
    )
    p = np.full((2, 2), 0.5)
    found = BundlePredictions(
        canonical=["O", None, "N"],
        reasons=[None, "bad", None],
        notes=[[], [], []],
        rows=np.array([0, 2]),
        predictions=SimpleNamespace(
            values=np.zeros((2, t)), probabilities=[p] * t if classes else None, std=None
        ),
        assessment=said,
    )
    bundle = SimpleNamespace(manifest=manifest, assessor=SimpleNamespace(references=known))
    return {name: values.to_pylist() for name, values in answer_columns(bundle, found).items()}


def test_three_neighbours_with_what_was_measured():
    found = columns("logS")
    assert found["nearest"] == ["CCC", None, "CCCC"]
    assert found["nearest_2"] == ["C", None, "CCC"]
    assert found["nearest_3"] == ["CC", None, "C"]
    assert found["similarity_3"] == [0.7, None, 0.4]
    assert found["logS_nearest"] == [2.0, None, 3.0]
    assert found["logS_nearest_3"] == [1.0, None, 0.0]
    assert found["in_domain"] == [True, None, False]
    assert found["outside_by"] == ["leverage", None, "similarity, leverage"]


def test_classes_are_told_by_their_words_and_missing_labels_are_null():
    y = np.array([[0.0], [1.0], [1.0], [np.nan]])
    found = columns("active", classes=(("no", "yes"),), y=y)
    assert found["active_nearest"] == ["yes", None, None]
    assert found["active_nearest_2"] == ["no", None, "yes"]


def test_rows_of_a_table_are_told_by_their_numbers():
    assert columns("y", smiles=())["nearest"] == [30, None, 40]


def test_with_fewer_training_rows_the_columns_are_there():
    found = columns("y", k=1)
    assert found["nearest"] == ["CCC", None, "CCCC"]
    assert found["nearest_2"] == found["y_nearest_3"] == found["similarity_2"] == [None] * 3
    assert found.keys() == columns("y").keys()


@pytest.mark.parametrize(("targets", "values"), [(12, 3), (13, 1)])
def test_of_many_targets_only_the_nearest_is_told_with_its_values(targets, values):
    found = columns(*(f"t{n}" for n in range(targets)))
    assert sum(name.startswith("t0_nearest") for name in found) == values
    assert "nearest_3" in found


def test_a_part_of_the_release_before_lacks_columns():
    schema = pa.schema([("row", pa.int64()), ("nearest", pa.string()), ("nearest_2", pa.string())])
    part = pa.table({"nearest": ["C"], "row": [1]})
    assert as_stored(part, schema).to_pylist() == [{"row": 1, "nearest": "C", "nearest_2": None}]
