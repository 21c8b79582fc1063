"""The network behind `mlp` as matrix products."""

from typing import TYPE_CHECKING

import numpy as np

from app.exporting.onnx.graph import Graph
from app.exporting.onnx.preparing import scaled

if TYPE_CHECKING:
    from app.algorithms.networks.mlp import MlpModel


def network(graph: Graph, given: str, model: "MlpModel") -> list[str]:
    """Per target (n, 1) numbers or (n, classes) probabilities; dropout is for training only."""
    values = scaled(graph, given, model.scaling)
    layers = model.layers()
    for number, (weight, bias) in enumerate(layers):
        values = graph.add("Gemm", values, graph.constant(weight), graph.constant(bias), transB=1)
        if number < len(layers) - 1:
            values = graph.add("Relu", values)
    task = model.task
    if task.type == "regression":
        mean, scale = model.target_scale()
        values = graph.add("Mul", values, graph.constant(scale.astype(np.float32)))
        values = graph.add("Add", values, graph.constant(mean.astype(np.float32)))
        return [_slice(graph, values, n, 1) for n in range(len(task.targets))]
    if task.type == "binary":
        positive = graph.add("Sigmoid", values)
        negative = graph.add("Sub", graph.constant(np.array([1], dtype=np.float32)), positive)
        return [
            graph.add(
                "Concat", _slice(graph, negative, n, 1), _slice(graph, positive, n, 1), axis=1
            )
            for n in range(len(task.targets))
        ]
    found, start = [], 0
    for classes in task.classes:
        found.append(graph.add("Softmax", _slice(graph, values, start, len(classes)), axis=1))
        start += len(classes)
    return found


def _slice(graph: Graph, given: str, start: int, columns: int) -> str:
    places = np.arange(start, start + columns, dtype=np.int64)
    return graph.add("Gather", given, graph.constant(places), axis=1)
