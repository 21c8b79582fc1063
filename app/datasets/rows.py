"""Some rows of a clean.parquet, wherever they are: only their row groups are read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray


def take_rows(clean: Path, places: NDArray[np.int64], names: Sequence[str]) -> list[dict[str, Any]]:
    """The columns `names` of the rows at these places (from 0), in the order of `places`."""
    file = pq.ParquetFile(clean)
    found: dict[int, dict[str, Any]] = {}
    start = 0
    for number in range(file.num_row_groups):
        length = file.metadata.row_group(number).num_rows
        here = places[(places >= start) & (places < start + length)]
        if len(here):
            group = file.read_row_group(number, columns=list(names))
            rows = group.take(here - start).to_pylist()
            found |= {int(place): row for place, row in zip(here, rows, strict=True)}
        start += length
    return [found[int(place)] for place in places]
