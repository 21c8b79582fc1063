"""What `mlflow.pyfunc.load_model` gives for an exported model; it runs without the server.

MLflow calls `_load_pyfunc` of this module (its `loader_module`): no object is pickled.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from app.datasets.cells import read_value
from app.exporting.folder import load_folder
from app.features.cells import Value
from app.models.bundle import ModelBundle
from app.prediction.answers import answer_columns

SMILES = "smiles"


class RetortModel:
    """A DataFrame in, one row out for each row in, in order."""

    def __init__(self, model: ModelBundle) -> None:
        self.model = model

    def predict(self, frame: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """`frame`: the column `smiles` of a model of molecules, and the columns that it learned
        from. Columns of the answer as in the file of a predict job: status, reason, then for each
        target its value, bounds and confidence, or its class and probabilities; in_domain,
        outside_by, and of the three nearest training rows similarity, which it is, and what was
        measured of it. Raises ValueError when a column is missing.
        """
        import pyarrow as pa

        del params
        manifest = self.model.manifest
        needed = [SMILES] * self.model.needs_structures + [c["name"] for c in manifest.columns]
        missing = [name for name in needed if name not in frame.columns]
        if missing:
            raise ValueError(f"the model needs columns that are not given: {', '.join(missing)}")
        records: Any = frame[needed].to_dict("records")
        rows = [_row(manifest.columns, values) for values in records]
        if self.model.needs_structures:
            smiles = ["" if value is None else str(value) for value in frame[SMILES]]
            found = self.model.predict(smiles, None, rows)
        else:
            found = self.model.predict_rows(rows)
        answer: pd.DataFrame = pa.table(answer_columns(self.model, found)).to_pandas()
        answer.index = frame.index
        return answer


def _row(columns: tuple[dict[str, Any], ...], given: Mapping[str, Any]) -> Any:
    """The columns' values, or why one cannot be read."""
    values: dict[str, Value] = {}
    for described in columns:
        cell = given[described["name"]]
        column: Any = {**described, "role": "feature"}
        if pd.isna(cell):
            values[column["name"]] = None
        elif isinstance(cell, datetime):
            values[column["name"]] = cell.replace(tzinfo=None)
        else:
            values[column["name"]], why = read_value(column, _plain(cell))
            if why is not None:
                return why
    return values


def _plain(cell: Any) -> Any:
    """NumPy's numbers as Python's, which are written as JSON's are."""
    return cell.item() if hasattr(cell, "item") else cell


def _load_pyfunc(path: str) -> RetortModel:
    """`path`: the model's folder."""
    return RetortModel(load_folder(Path(path)))
