"""A data set's rows as a model takes them: features of molecules, or a table's columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import FieldError, InvalidInput
from app.core.work import WorkContext
from app.datasets.cells import read_value
from app.datasets.columns import Column
from app.datasets.records import Dataset
from app.features.cells import Value, cell_arrays
from app.features.matrix import dataset_fingerprints, dataset_matrix
from app.models.bundle import ModelBundle
from app.resources import Resources
from app.splitters.base import Indices


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Of a whole data set."""

    #: (rows, width) features
    X: NDArray[Any]
    #: (rows, ...) what rows are compared by: see `app.uncertainty.references.ReferenceRows.keys`
    keys: NDArray[Any]
    #: row -> why it has no features
    errors: dict[int, str]


def dataset_inputs(
    resources: Resources, context: WorkContext, bundle: ModelBundle, dataset: Dataset
) -> Inputs:
    """Raises InvalidInput when the data set is not of the model's kind, or lacks a column."""
    molecular, errors = np.empty((dataset.size, 0), dtype=np.float32), dict[int, str]()
    if bundle.needs_structures:
        if not dataset.smiles:
            raise _unfit(f"the model predicts molecules, and {dataset.ref} is a table", [])
        feature_set = bundle.features.feature_set
        found = dataset_matrix(resources, context, dataset.id, dataset.smiles, feature_set)
        molecular, errors = found.matrix, dict(found.errors)
    known = {column["name"]: column for column in dataset.columns if column["role"] != "ignore"}
    missing = [c["name"] for c in bundle.manifest.columns if c["name"] not in known]
    if missing:
        raise _unfit(f"{dataset.ref} lacks columns that the model learned from", missing)
    values = {
        column["name"]: _values(dataset, column, known[column["name"]], errors)
        for column in bundle.manifest.columns
    }
    cells = cell_arrays(bundle.manifest.columns, values)
    X = bundle.features.matrix(molecular, cells)
    keys = (
        dataset_fingerprints(resources, context, dataset.id, dataset.smiles)
        if bundle.needs_structures
        else X
    )
    return Inputs(X=X, keys=keys, errors=errors)


def row_values(bundle: ModelBundle, dataset: Dataset, rows: Indices) -> list[dict[str, Value]]:
    """Of each of these rows the columns that the model learned from, by their names."""
    known = {column["name"]: column for column in dataset.columns}
    columns = {
        column["name"]: _values(dataset, column, known[column["name"]], {})
        for column in bundle.manifest.columns
    }
    return [{name: values[row] for name, values in columns.items()} for row in rows]


def _values(
    dataset: Dataset, wanted: Mapping[str, Any], there: Mapping[str, Any], errors: dict[int, str]
) -> list[Value]:
    """The column's values; read again where the two data sets guessed different types."""
    values: list[Value] = dataset.values(wanted["name"])
    words = ("binary", "class", "text")
    if wanted["type"] == there["type"] or {wanted["type"], there["type"]} <= {*words}:
        return values
    column = Column(name=wanted["name"], role="feature", type=wanted["type"])
    again: list[Value] = []
    for row, value in enumerate(values):
        found, why = read_value(column, value)
        again.append(found)
        if why is not None:
            errors.setdefault(row, why)
    return again


def _unfit(detail: str, missing: list[str]) -> InvalidInput:
    return InvalidInput(
        f"{detail}: {', '.join(map(repr, missing[:20]))}" if missing else detail,
        code="features_do_not_fit",
        remedy="Evaluate it on a data set with the columns of its training data.",
        errors=[
            FieldError(pointer="/params/dataset", code="missing", detail=repr(name))
            for name in missing[:20]
        ],
    )
