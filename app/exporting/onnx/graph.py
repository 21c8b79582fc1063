"""An ONNX graph while it is put together."""

from typing import Any

import numpy as np
import onnx

#: old enough for runtimes of 2022, and what every converter here can write
OPSET = 17
OPSET_ML = 3


class Graph:
    """Names are given by it; every node has one output."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._count = 0

    def name(self, said: str) -> str:
        self._count += 1
        return f"{said}_{self._count}"

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """The name of the node's output."""
        output = self.name(op.lower())
        self.nodes.append(
            onnx.helper.make_node(op, list(inputs), [output], domain=domain, **attributes)
        )
        return output

    def constant(self, array: Any) -> str:
        """A number or an array of numpy (its dtype counts)."""
        name = self.name("constant")
        self.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def embed(self, model: Any, given: str, place: int) -> str:
        """A converter's whole model with `given` as its one input; the name of its output number
        `place`. Dictionaries of probabilities (ZipMap) are left out.
        """
        graph = onnx.compose.add_prefix(model, f"{self.name('part')}_").graph
        output: str = graph.output[place].name
        own = graph.input[0].name
        for node in graph.node:
            if node.op_type == "ZipMap":
                output = node.input[0] if node.output[0] == output else output
                continue
            for number, name in enumerate(node.input):
                if name == own:
                    node.input[number] = given
            self.nodes.append(node)
        self.constants.extend(graph.initializer)
        return output

    def model(self, width: int, outputs: dict[str, tuple[str, int]], facts: dict[str, str]) -> Any:
        """Input `features` (n, width) float32. `outputs`: name -> (what gives it, columns)."""
        for name, (given, _) in outputs.items():
            self.nodes.append(onnx.helper.make_node("Identity", [given], [name]))
        floats = onnx.TensorProto.FLOAT
        info = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            self.nodes,
            "retort",
            [info("features", floats, ["n", width])],
            [info(name, floats, ["n", columns]) for name, (_, columns) in outputs.items()],
            self.constants,
        )
        opsets = [
            onnx.helper.make_opsetid("", OPSET),
            onnx.helper.make_opsetid("ai.onnx.ml", OPSET_ML),
        ]
        made = onnx.helper.make_model(
            graph, opset_imports=opsets, producer_name="retort", ir_version=8
        )
        onnx.helper.set_model_props(made, facts)
        _drop_unused(made)
        onnx.checker.check_model(made)
        return made


def _drop_unused(model: Any) -> None:
    """Nodes that nothing reads: labels beside probabilities."""
    graph = model.graph
    wanted = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    constants = [constant for constant in graph.initializer if constant.name in wanted]
    del graph.initializer[:]
    graph.initializer.extend(constants)
