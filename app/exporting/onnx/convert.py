"""A whole model as one graph: preparation, estimators, averages of a consensus, calibration."""

from typing import Any

import numpy as np
import orjson

from app.algorithms.base import FittedModel, LearningTask
from app.algorithms.consensus import ConsensusModel
from app.algorithms.per_target import Fitted, PerTargetModel
from app.exporting.onnx.estimators import check_possible, estimated, not_possible
from app.exporting.onnx.graph import Graph
from app.exporting.onnx.network import network
from app.exporting.onnx.preparing import calibrated, cleaned, scaled
from app.models.bundle import ModelBundle


def convert(bundle: ModelBundle) -> Any:
    """An onnx.ModelProto: input `features` (n, width) float32; of numbers the output `value`
    (n, targets), of classes `probabilities` (n, classes), one for each target if there are several
    (`probabilities_0`, ...). Raises InvalidInput (`export_not_possible`).
    """
    graph, task = Graph(), bundle.manifest.learning_task
    each = _outputs(graph, "features", bundle.fitted, task)
    if not task.is_classification:
        joined = each[0] if len(each) == 1 else graph.add("Concat", *each, axis=1)
        outputs = {"value": (joined, len(task.targets))}
    else:
        names = _names(task)
        if bundle.assessor is not None:
            known = bundle.assessor.calibration.targets
            each = [
                calibrated(graph, given, known[target].betas or [None])
                for given, target in zip(each, task.targets, strict=True)
            ]
        outputs = {
            name: (given, len(classes))
            for name, given, classes in zip(names, each, task.classes, strict=True)
        }
    return graph.model(bundle.features.width, outputs, _facts(bundle, list(outputs)))


def _names(task: LearningTask) -> list[str]:
    if len(task.targets) == 1:
        return ["probabilities"]
    return [f"probabilities_{number}" for number in range(len(task.targets))]


def _outputs(graph: Graph, given: str, fitted: FittedModel, task: LearningTask) -> list[str]:
    """Per target (n, 1) numbers or (n, classes) probabilities, not calibrated."""
    if isinstance(fitted, ConsensusModel):
        found = [_outputs(graph, given, member, task) for member in fitted.fitted]
        return [_mean(graph, list(target)) for target in zip(*found, strict=True)]
    if isinstance(fitted, PerTargetModel):
        return [_target(graph, given, fitted, number, task) for number in range(len(task.targets))]
    from app.algorithms.networks.mlp import MlpModel

    if isinstance(fitted, MlpModel):
        return network(graph, given, fitted)
    raise not_possible(type(fitted).__name__, "there is no converter for it")


def _target(
    graph: Graph, given: str, model: PerTargetModel, number: int, task: LearningTask
) -> str:
    check_possible(model.algorithm.name)
    fitted = model.fitted[number]
    if fitted.estimator is None:
        raise not_possible(
            model.algorithm.name, f"the target {task.targets[number]!r} had one class in training"
        )
    prepared, width = _prepared(graph, given, fitted)
    found = estimated(
        graph,
        prepared,
        model.algorithm.name,
        fitted.estimator,
        width or _width(fitted, model),
        classes=task.is_classification,
    )
    if not task.is_classification:
        return graph.add("Reshape", found, graph.constant(np.array([-1, 1], dtype=np.int64)))
    n_classes = len(task.classes[number])
    return found if len(fitted.seen) == n_classes else _spread(graph, found, fitted, n_classes)


def _prepared(graph: Graph, given: str, fitted: Fitted) -> tuple[str, int]:
    """What the estimator gets, and how many columns; 0: all of them."""
    if fitted.scaling is not None:
        return scaled(graph, given, fitted.scaling), int(fitted.scaling.kept.sum())
    if fitted.cleaning is not None:
        return cleaned(graph, given, fitted.cleaning), len(fitted.cleaning.fill)
    return given, 0


def _width(fitted: Fitted, model: PerTargetModel) -> int:
    """Of an estimator of bits, which are not prepared."""
    estimator = fitted.estimator
    for name in ("n_features_in_", "num_feature", "num_features"):
        found = getattr(estimator, name, None)
        if found is not None:
            return int(found() if callable(found) else found)
    if model.algorithm.name == "catboost":
        return 0  # its own converter knows
    raise not_possible(model.algorithm.name, "its number of features is not known")


def _spread(graph: Graph, given: str, fitted: Fitted, n_classes: int) -> str:
    """(n, seen) into (n, classes): a class that training rows lacked has probability 0."""
    placed = np.zeros((len(fitted.seen), n_classes), dtype=np.float32)
    placed[np.arange(len(fitted.seen)), list(fitted.seen)] = 1.0
    return graph.add("MatMul", given, graph.constant(placed))


def _mean(graph: Graph, each: list[str]) -> str:
    return each[0] if len(each) == 1 else graph.add("Mean", *each)


def _facts(bundle: ModelBundle, outputs: list[str]) -> dict[str, str]:
    """What a program that feeds the graph must know; every value is text."""
    manifest = bundle.manifest
    features = [spec.model_dump(mode="json") for spec in manifest.features]
    return {
        "retort.model": manifest.name,
        "retort.algorithm": manifest.algorithm,
        "retort.task": manifest.task,
        "retort.targets": _text(manifest.targets),
        "retort.classes": _text(manifest.classes),
        "retort.units": _text(manifest.units),
        "retort.outputs": _text(outputs),
        "retort.input": "the feature matrix, after the featurizers below and before any scaling, "
        "which is part of this graph; float32, NaN where a value is missing",
        "retort.feature_set_key": manifest.feature_set_key,
        "retort.featurizers": _text(features),
        "retort.columns": _text(bundle.features.columns),
        "retort.table_columns": _text(manifest.columns),
        "retort.left_out": "intervals, confidence and applicability domain",
    }


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
