"""Rows without features, and data sets that do not say how they were read."""

from types import SimpleNamespace

import numpy as np

from app.splitters.base import Split
from app.training.accounting import row_accounting

SPLIT = Split(train=np.arange(6), validation=np.array([6]), test=np.array([7, 8]))


def accounted(counts, refused, used):
    y = np.append(np.arange(10.0), np.nan)[:, None]
    material = SimpleNamespace(
        dataset=SimpleNamespace(counts=counts, refused=refused),
        labels=SimpleNamespace(y=y),
        split=SimpleNamespace(split=SPLIT),
    )
    return row_accounting(material, {part: np.arange(n) for part, n in used.items()})


def test_rows_whose_features_cannot_be_computed():
    counts = {"rows_in": 16, "rows_ok": 11, "rows_rejected": 3, "rows_merged": 2}
    used = {"train": 5, "validation": 1, "test": 1}
    found = accounted(counts, {"a": 1, "b": 2}, used)
    assert (found["without_target"], found["without_features"], found["on_no_side"]) == (1, 2, 1)
    assert found["clean"] == 11 == 1 + 2 + 1 + sum(used.values())
    assert list(found["reasons"].items()) == [("b", 2), ("a", 1)]


def test_reasons_that_are_not_named_make_up_the_rest():
    counts = {"rows_in": 511, "rows_ok": 11, "rows_rejected": 500, "rows_merged": 0}
    told = {f"reason {n:02}": 10 for n in range(40)} | {"other reasons": 7}
    found = accounted(counts, told, {"train": 6})
    assert len(found["reasons"]) == 21
    assert sum(found["reasons"].values()) == 500
    assert found["reasons"]["other reasons"] == 300


def test_a_data_set_that_does_not_say():
    found = accounted({}, {}, {"train": 6, "validation": 1, "test": 2})
    assert found["read"] is found["refused"] is found["merged"] is None
    assert found["reasons"] == {}
