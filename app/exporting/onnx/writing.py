"""The graph of a model, proved on real rows before anybody gets it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import Predictions
from app.core.errors import InvalidInput
from app.exporting.equality import TOLERANCE, difference
from app.models.bundle import ModelBundle

_NEEDED = ("onnx", "onnxruntime", "skl2onnx", "onnxmltools")


def write_onnx(bundle: ModelBundle, X: NDArray[Any], path: Path) -> dict[str, Any]:
    """Write the graph; what was measured on X (n, width) real features. Raises InvalidInput where
    there is none, or where it differs from the model by more than the tolerance.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise InvalidInput(
            f"ONNX needs packages that are not installed here: {', '.join(missing)}",
            code="exporter_unavailable",
        )
    from app.exporting.onnx.convert import convert

    data = convert(bundle).SerializeToString()
    worst = difference(bundle.predict_matrix(X), run_onnx(data, X))
    if worst > TOLERANCE:
        raise InvalidInput(
            f"the ONNX graph predicts otherwise than the model: by {worst:.2g} on {len(X)} real "
            f"rows, more than {TOLERANCE:g} (numbers relative, probabilities absolute)",
            code="export_not_possible",
        )
    path.write_bytes(data)
    return {"compared_rows": len(X), "largest_difference": worst, "tolerance": TOLERANCE}


def run_onnx(data: bytes, X: NDArray[Any]) -> Predictions:
    """What the graph says of X, computed by onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    found = session.run(None, {"features": np.ascontiguousarray(X, dtype=np.float32)})
    if [output.name for output in session.get_outputs()] == ["value"]:
        return Predictions(values=np.asarray(found[0], dtype=np.float64))
    each = [np.asarray(p, dtype=np.float64) for p in found]
    values = np.column_stack([p.argmax(axis=1).astype(np.float64) for p in each])
    return Predictions(values=values, probabilities=each)
