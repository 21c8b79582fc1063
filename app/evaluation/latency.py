"""How long one row takes, as somebody waits for it who draws a molecule."""

import time
from typing import Any

import numpy as np

from app.datasets.records import Dataset
from app.evaluation.inputs import row_values
from app.models.bundle import ModelBundle
from app.splitters.base import Indices

_ROWS = 20


def one_row_latency(bundle: ModelBundle, dataset: Dataset, rows: Indices) -> dict[str, Any]:
    """{"p50", "p95" (ms), "rows"}: features and prediction of up to 20 rows, one at a time, after
    one that warms the process up. By one thread of this worker, without the way through HTTP.
    """
    chosen = rows[:: max(1, len(rows) // _ROWS)][:_ROWS]
    given = row_values(bundle, dataset, chosen)
    spent = []
    for row, values in [(chosen[0], given[0]), *zip(chosen, given, strict=True)]:
        started = time.perf_counter()
        if bundle.needs_structures:
            bundle.predict([dataset.smiles[row]], beside=[values])
        else:
            bundle.predict_rows([values])
        spent.append(1000 * (time.perf_counter() - started))
    p50, p95 = np.quantile(spent[1:], [0.5, 0.95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "rows": len(chosen)}
