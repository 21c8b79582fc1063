"""The predictions that a model's metrics were computed from, row by row, as Parquet."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from app.algorithms.base import LearningTask, Predictions
from app.datasets.records import Dataset
from app.splitters.base import Indices


def predictions_table(
    dataset: Dataset,
    task: LearningTask,
    y: "np.ndarray",
    parts: dict[str, tuple[Indices, Predictions]],
) -> bytes:
    """Columns: row (in the file), part (validation, test), smiles of molecules, and per target its
    label and prediction; classes also the probability of each class.
    """
    tables = []
    for part, (rows, predictions) in parts.items():
        columns: dict[str, object] = {
            "row": pa.array([dataset.rows[row] for row in rows], pa.int64()),
            "part": pa.array([part] * len(rows), pa.string()),
        }
        if dataset.smiles:
            columns["smiles"] = pa.array([dataset.smiles[row] for row in rows], pa.string())
        for number, target in enumerate(task.targets):
            columns[target] = pa.array(y[rows, number], pa.float64(), from_pandas=True)
            columns[f"{target}_predicted"] = pa.array(predictions.values[:, number], pa.float64())
            if predictions.probabilities is not None:
                for c, word in enumerate(task.classes[number]):
                    values = predictions.probabilities[number][:, c]
                    columns[f"{target}_probability_{word}"] = pa.array(values, pa.float64())
        tables.append(pa.table(columns))  # type: ignore[arg-type]
    buffer = io.BytesIO()
    pq.write_table(pa.concat_tables(tables), buffer, compression="zstd")
    return buffer.getvalue()
