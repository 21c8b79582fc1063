"""The predictions that a model's metrics were computed from, row by row, as Parquet."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.algorithms.base import LearningTask, Predictions
from app.datasets.records import Dataset
from app.splitters.base import Indices
from app.uncertainty.assessor import Assessment


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows of the data set with what a model said that had not seen them."""

    rows: Indices
    predictions: Predictions
    assessment: Assessment | None


def predictions_table(
    dataset: Dataset, task: LearningTask, y: NDArray[np.float64], parts: dict[str, Part]
) -> bytes:
    """Columns: row (in the file), part (test; out_of_fold or validation), smiles of molecules,
    similarity to the nearest training row, in_domain; and per target its label and prediction,
    `_lower`, `_upper`, `_std` of numbers, `_probability_<class>` of classes, `_confidence`.
    """
    tables = []
    for name, part in parts.items():
        columns: dict[str, Any] = {
            "row": pa.array([dataset.rows[row] for row in part.rows], pa.int64()),
            "part": pa.array([name] * len(part.rows), pa.string()),
        }
        if dataset.smiles:
            columns["smiles"] = pa.array([dataset.smiles[row] for row in part.rows], pa.string())
        if part.assessment is not None:
            columns["similarity"] = _numbers(part.assessment.nearest.closest)
            columns["in_domain"] = pa.array(part.assessment.inside)
        for number in range(len(task.targets)):
            columns |= _of_target(task, y[part.rows, number], part, number)
        tables.append(pa.table(columns))
    buffer = io.BytesIO()
    pq.write_table(pa.concat_tables(tables), buffer, compression="zstd")
    return buffer.getvalue()


def _of_target(
    task: LearningTask, y: NDArray[np.float64], part: Part, number: int
) -> dict[str, Any]:
    target, found, said = task.targets[number], part.predictions, part.assessment
    columns = {target: _numbers(y), f"{target}_predicted": _numbers(found.values[:, number])}
    if found.probabilities is not None:
        for c, word in enumerate(task.classes[number]):
            columns[f"{target}_probability_{word}"] = _numbers(found.probabilities[number][:, c])
    by_name = {
        "lower": None if said is None else said.lower,
        "upper": None if said is None else said.upper,
        "std": found.std,
        "confidence": None if said is None else said.confidence,
    }
    for name, values in by_name.items():
        if values is not None:
            columns[f"{target}_{name}"] = _numbers(values[:, number])
    return columns


def _numbers(values: NDArray[np.float64]) -> Any:
    return pa.array(values, pa.float64(), from_pandas=True)
