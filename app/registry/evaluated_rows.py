"""Label and prediction of each row that an evaluation measured: what a gate pairs.

A Parquet file: `row` (number of the row in its data set), and for each target i `y<i>` and `p<i>`
(float64: numbers or class indices, NaN where there is no label) and `c<i>_<k>`, the probability of
class k. Its metadata names the task, the targets and their classes.
"""

import hashlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.algorithms.base import LearningTask, Predictions
from app.core.errors import Conflict
from app.storage.base import Storage

Values = NDArray[np.float64]
_ABOUT = b"retort"


@dataclass(frozen=True, kw_only=True)
class EvaluatedRows:
    task: str
    targets: tuple[str, ...]
    #: per target; empty for numbers
    classes: tuple[tuple[str, ...], ...]
    #: (n,) in increasing order
    rows: NDArray[np.int64]
    #: (n, targets)
    y: Values
    predicted: Values
    #: per target (n, classes); None for numbers
    probabilities: tuple[Values, ...] | None

    def at(self, places: NDArray[np.int64]) -> "EvaluatedRows":
        """Only the rows at these places."""
        return EvaluatedRows(
            task=self.task,
            targets=self.targets,
            classes=self.classes,
            rows=self.rows[places],
            y=self.y[places],
            predicted=self.predicted[places],
            probabilities=None
            if self.probabilities is None
            else tuple(one[places] for one in self.probabilities),
        )


def rows_as_bytes(
    task: LearningTask, rows: NDArray[np.int64], y: Values, predictions: Predictions
) -> bytes:
    """`rows` (n,), `y` (n, targets), predictions of the same n rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    order = np.argsort(rows, kind="stable")
    columns: dict[str, Any] = {"row": rows[order]}
    for i in range(len(task.targets)):
        columns |= {f"y{i}": y[order, i], f"p{i}": predictions.values[order, i]}
        if predictions.probabilities is not None:
            found = predictions.probabilities[i][order]
            columns |= {f"c{i}_{k}": found[:, k] for k in range(found.shape[1])}
    about = {"task": task.type, "targets": task.targets, "classes": task.classes}
    table = pa.table(columns).replace_schema_metadata({_ABOUT: orjson.dumps(about)})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def read_rows(storage: Storage, key: str, sha256: str) -> EvaluatedRows:
    """Raises Conflict when the file is not the one that was stored, ContentMissing."""
    import pyarrow.parquet as pq

    data = storage.read(key)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise Conflict(
            "the stored rows of an evaluation are not those that were written",
            code="model_altered",
            remedy="Evaluate the model again: POST /api/v1/jobs, kind evaluate.",
        )
    table = pq.read_table(io.BytesIO(data))
    about = orjson.loads(table.schema.metadata[_ABOUT])
    n = len(about["targets"])

    def column(name: str) -> Values:
        found: Values = table[name].to_numpy().astype(np.float64)
        return found

    classes = tuple(tuple(words) for words in about["classes"])
    probabilities = None
    if "c0_0" in table.column_names:
        probabilities = tuple(
            np.column_stack([column(f"c{i}_{k}") for k in range(len(classes[i]))]) for i in range(n)
        )
    return EvaluatedRows(
        task=about["task"],
        targets=tuple(about["targets"]),
        classes=classes,
        rows=table["row"].to_numpy().astype(np.int64),
        y=np.column_stack([column(f"y{i}") for i in range(n)]),
        predicted=np.column_stack([column(f"p{i}") for i in range(n)]),
        probabilities=probabilities,
    )
