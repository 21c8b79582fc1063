"""Values of a table's columns as arrays, the form that column featurizers take."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: float of a number, datetime of a date, str of a word; None: missing
Value = float | str | datetime | None


def cell_arrays(
    columns: Sequence[Mapping[str, Any]], values: Mapping[str, Sequence[Value]]
) -> dict[str, NDArray[Any]]:
    """As featurizers want them (`app.featurizers.base.Cells`), by the columns' types."""
    arrays: dict[str, NDArray[Any]] = {}
    for column in columns:
        found = values[column["name"]]
        if column["type"] == "number":
            arrays[column["name"]] = np.array(
                [np.nan if value is None else value for value in found], dtype=np.float64
            )
        elif column["type"] == "date":
            arrays[column["name"]] = np.array(found, dtype="datetime64[us]")
        else:
            words = np.empty(len(found), dtype=object)
            words[:] = found
            arrays[column["name"]] = words
    return arrays
