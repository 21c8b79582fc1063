"""From a data set's target columns to y: numbers, or class indices, NaN where there is no label."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import LearningTask, TaskType
from app.core.errors import InvalidInput, UnknownName
from app.core.names import listed, shown
from app.datasets.numbers import is_number
from app.datasets.records import Dataset
from app.training.params import LearnSpec

_MAX_CLASSES = 100


@dataclass(frozen=True, kw_only=True)
class Labels:
    task: LearningTask
    #: (rows, targets) float64
    y: NDArray[np.float64]


def read_labels(dataset: Dataset, spec: LearnSpec) -> Labels:
    """Raises UnknownName for an unknown column, InvalidInput for what cannot be learned."""
    targets = spec.targets or tuple(dataset.named("target"))
    if not targets:
        raise InvalidInput(
            f"the data set {dataset.ref} has no target column",
            code="no_target",
            remedy='Name one: {"targets": ["<column>"]}, and give it the role target at ingest.',
        )
    columns = {name: _column(dataset, name) for name in targets}
    types = {name: _task_of(values, spec) for name, values in columns.items()}
    if len(set(types.values())) > 1:
        raise InvalidInput(
            "the targets are of different kinds: "
            + ", ".join(f"{name} ({kind})" for name, kind in list(types.items())[:10]),
            code="mixed_targets",
            remedy="Train numbers and classes as separate models, or set `task`.",
        )
    task: TaskType = types[targets[0]]
    if task == "regression":
        y = np.column_stack([_numbers(name, values) for name, values in columns.items()])
        return Labels(task=LearningTask(type=task, targets=tuple(targets)), y=y)
    classes = tuple(_classes(name, values) for name, values in columns.items())
    y = np.column_stack(
        [_indices(values, known) for values, known in zip(columns.values(), classes, strict=True)]
    )
    kind: TaskType = "binary" if all(len(c) <= 2 for c in classes) else "multiclass"  # noqa: PLR2004
    return Labels(task=LearningTask(type=kind, targets=tuple(targets), classes=classes), y=y)


def _column(dataset: Dataset, name: str) -> list[Any]:
    known = dataset.named("target")
    if dataset.kind == "table":
        known += dataset.named("feature")
    if name not in known:
        raise UnknownName(
            f"the data set {dataset.ref} has no target column {shown(name)}",
            remedy=f"Its target columns are, the nearest first: {listed(name, known)}."
            if known
            else "It has none: give a column the role target at ingest.",
        )
    values = dataset.values(name)
    if all(value is None for value in values):
        raise InvalidInput(f"the target {name!r} has no label at all", code="no_labels")
    if any(isinstance(value, datetime) for value in values):
        raise InvalidInput(
            f"the target {name!r} holds dates",
            code="date_target",
            remedy="Choose a column of numbers or classes; dates can be features.",
        )
    return values


def _task_of(values: Sequence[Any], spec: LearnSpec) -> TaskType:
    """Numbers are regression unless `task` says otherwise; words are classes."""
    if spec.task != "auto":
        return "regression" if spec.task == "regression" else "binary"
    return "regression" if any(isinstance(value, float) for value in values) else "binary"


def _numbers(name: str, values: Sequence[Any]) -> NDArray[np.float64]:
    known = [value for value in values if value is not None]
    if not all(isinstance(value, float) or is_number(value) for value in known):
        raise InvalidInput(
            f"the target {name!r} holds words, so it cannot be a regression",
            code="target_not_numeric",
            remedy='Set "task": "binary" or "multiclass", or leave it out.',
        )
    y = np.array([np.nan if value is None else float(value) for value in values])
    if np.nanmin(y) == np.nanmax(y):
        raise InvalidInput(
            f"the target {name!r} is constant: there is nothing to learn",
            code="constant_target",
        )
    return y


def _classes(name: str, values: Sequence[Any]) -> tuple[str, ...]:
    found = sorted({class_word(value) for value in values if value is not None})
    if len(found) < 2:  # noqa: PLR2004 - two classes
        raise InvalidInput(
            f"the target {name!r} has one class only ({found[0]})",
            code="one_class",
            remedy="Give rows of at least two classes.",
        )
    if len(found) > _MAX_CLASSES:
        raise InvalidInput(
            f"the target {name!r} has {len(found)} different values",
            code="too_many_classes",
            remedy='Is it a number? Then set "task": "regression".',
        )
    return tuple(found)


def _indices(values: Sequence[Any], classes: Sequence[str]) -> NDArray[np.float64]:
    index = {word: float(number) for number, word in enumerate(classes)}
    return np.array([np.nan if value is None else index[class_word(value)] for value in values])


def class_word(value: Any) -> str:
    """How a class is called: 1.0 in a file is the class "1"."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    return str(value)
