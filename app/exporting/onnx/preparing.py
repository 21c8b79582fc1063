"""What happens to features before the estimator sees them, and to probabilities after it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.cleaning import Cleaning
from app.algorithms.scaling import LIMIT, Scaling
from app.exporting.onnx.graph import Graph
from app.uncertainty.probabilities import EDGE, LARGEST_LOG_ODDS, Beta


def _vector(*values: float, dtype: Any = np.float64) -> NDArray[Any]:
    return np.array(values, dtype=dtype)


def scaled(graph: Graph, given: str, scaling: Scaling) -> str:
    """As `Scaling.transform`, (n, kept)."""
    kept = graph.constant(np.flatnonzero(scaling.kept).astype(np.int64))
    values = graph.add("Gather", given, kept, axis=1)
    values = graph.add("Where", _missing(graph, values), graph.constant(scaling.median), values)
    values = _between(graph, values, scaling.low, scaling.high)
    values = graph.add("Sub", values, graph.constant(scaling.mean))
    values = graph.add("Div", values, graph.constant(scaling.scale))
    limit = np.float32(LIMIT)
    return graph.add("Clip", values, graph.constant(-limit), graph.constant(limit))


def cleaned(graph: Graph, given: str, cleaning: Cleaning) -> str:
    """As `Cleaning.transform`, (n, width)."""
    values = _between(graph, given, cleaning.low, cleaning.high)
    return graph.add("Where", _missing(graph, given), graph.constant(cleaning.fill), values)


def calibrated(graph: Graph, given: str, betas: Sequence[Beta | None]) -> str:
    """As `probabilities.apply_all`, (n, classes)."""
    if all(beta is None for beta in betas):
        return given
    if len(betas) == 2:  # noqa: PLR2004 - two classes
        positive = _beta(graph, _column(graph, given, 1), betas[1])
        negative = graph.add("Sub", graph.constant(_vector(1, dtype=np.float32)), positive)
        return graph.add("Concat", negative, positive, axis=1)
    each = [_beta(graph, _column(graph, given, c), beta) for c, beta in enumerate(betas)]
    joined = graph.add("Concat", *each, axis=1)
    total = graph.add("ReduceSum", joined, graph.constant(_vector(1, dtype=np.int64)), keepdims=1)
    return graph.add("Div", joined, total)


def _beta(graph: Graph, p: str, beta: Beta | None) -> str:
    """As `probabilities.apply`; logarithms in double precision."""
    if beta is None:
        return p
    wide = graph.add("Cast", p, to=_DOUBLE)
    wide = graph.add(
        "Clip", wide, graph.constant(np.float64(EDGE)), graph.constant(np.float64(1 - EDGE))
    )
    rest = graph.add("Sub", graph.constant(_vector(1)), wide)
    terms = [
        graph.add("Mul", graph.add("Log", wide), graph.constant(_vector(beta[0]))),
        graph.add("Mul", graph.add("Log", rest), graph.constant(_vector(-beta[1]))),
    ]
    odds = graph.add("Add", graph.add("Add", *terms), graph.constant(_vector(beta[2])))
    limit = np.float64(LARGEST_LOG_ODDS)
    odds = graph.add("Clip", odds, graph.constant(-limit), graph.constant(limit))
    return graph.add("Cast", graph.add("Sigmoid", odds), to=_FLOAT)


def _column(graph: Graph, given: str, number: int) -> str:
    return graph.add("Gather", given, graph.constant(_vector(number, dtype=np.int64)), axis=1)


def _between(graph: Graph, given: str, low: np.ndarray, high: np.ndarray) -> str:
    if not (np.isfinite(low).any() or np.isfinite(high).any()):
        return given
    lowest = np.nan_to_num(low, neginf=float(np.finfo(np.float32).min)).astype(np.float32)
    highest = np.nan_to_num(high, posinf=float(np.finfo(np.float32).max)).astype(np.float32)
    raised = graph.add("Max", given, graph.constant(lowest))
    return graph.add("Min", raised, graph.constant(highest))


def _missing(graph: Graph, given: str) -> str:
    """Where a value is NaN or infinite."""
    return graph.add("Or", graph.add("IsNaN", given), graph.add("IsInf", given))


_FLOAT, _DOUBLE = 1, 11  # onnx.TensorProto.FLOAT, DOUBLE
