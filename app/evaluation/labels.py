"""A data set's labels in a model's own terms: its targets, its classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.algorithms.base import LearningTask
from app.core.errors import FieldError, InvalidInput
from app.datasets.columns import stored_name
from app.datasets.conversion import convert
from app.datasets.numbers import is_number
from app.datasets.records import Dataset
from app.training.examples import class_word

NO_LABEL = "it has no label"


@dataclass(frozen=True, kw_only=True)
class KnownLabels:
    #: (rows, targets of the model) float64: numbers or class indices; NaN where there is none
    y: NDArray[np.float64]
    #: targets that the data set has, in the model's order
    targets: tuple[str, ...]
    #: row -> why none of its targets can be used
    refused: dict[int, str]


def known_labels(
    dataset: Dataset,
    task: LearningTask,
    units: Mapping[str, str],
    chosen: Sequence[str] = (),
) -> KnownLabels:
    """`chosen`: only these targets (left out: all that the data set has). Numbers are turned into
    the `units` of the model (target -> unit) where both sides state one. Raises InvalidInput when
    a wanted column is not there, has no usable label at all, or a unit that cannot be turned.
    """
    stored = set(dataset.table.column_names)
    there = {name for name in (*chosen, *task.targets) if stored_name(name) in stored}
    missing = [name for name in chosen or task.targets if name not in there]
    targets = tuple(n for n in task.targets if n in there and n in (chosen or task.targets))
    if not targets or (chosen and missing):
        raise _missing(dataset, missing)
    y = np.full((dataset.table.num_rows, len(task.targets)), np.nan)
    why: dict[int, str] = {}
    for number, name in enumerate(task.targets):
        if name in targets:
            classes = task.classes[number] if task.is_classification else None
            labels = _column(dataset.values(name), name, classes, why)
            y[:, number] = labels if classes is not None else _turned(labels, dataset, name, units)
    without = np.flatnonzero(~np.isfinite(y).any(axis=1))
    refused = {int(row): why.get(int(row), NO_LABEL) for row in without}
    if len(refused) == len(y):
        raise InvalidInput(
            f"no row of {dataset.ref} has a label that this model knows",
            code="no_labels",
            remedy="Compare the target's values with the model's classes: GET /api/v1/models/{id}.",
            errors=[
                FieldError(pointer=f"row {dataset.rows[row]}", code="refused", detail=reason)
                for row, reason in list(refused.items())[:5]
            ],
        )
    return KnownLabels(y=y, targets=targets, refused=refused)


def _column(
    values: Sequence[Any], name: str, classes: Sequence[str] | None, why: dict[int, str]
) -> NDArray[np.float64]:
    """Notes in `why` what could not be read."""
    index = None if classes is None else {word: float(i) for i, word in enumerate(classes)}
    y = np.full(len(values), np.nan)
    for row, value in enumerate(values):
        if value is None:
            continue
        if index is not None:
            word = class_word(value)
            y[row] = index.get(word, np.nan)
            if word not in index:
                why.setdefault(row, f"the model knows no class {word[:50]!r} of {name!r}")
        elif isinstance(value, int | float) or is_number(value):
            y[row] = float(value)
        else:
            why.setdefault(row, f"{str(value)[:50]!r} in {name!r} is not a number")
    return y


def _turned(
    labels: NDArray[np.float64], dataset: Dataset, name: str, units: Mapping[str, str]
) -> NDArray[np.float64]:
    """In the model's unit."""
    unit, wanted = unit_of_column(dataset, name), units.get(name)
    remedy = (
        f"Turn the values of {name!r} into {wanted} and ingest them again with that unit"
        f' ("units": {{...}}), or leave this target out: name the others as `targets`.'
    )
    return convert(labels, unit, wanted, f"the column {name!r} of {dataset.ref}", remedy)


def unit_of_column(dataset: Dataset, name: str) -> str | None:
    """None where none is stated."""
    return next((c.get("unit") for c in dataset.columns if c["name"] == name), None)


def _missing(dataset: Dataset, missing: Sequence[str]) -> InvalidInput:
    known = dataset.named("target")
    return InvalidInput(
        f"the data set {dataset.ref} has no column {', '.join(map(repr, missing[:5]))} "
        "to compare the predictions with",
        code="missing_target",
        remedy=f"Its target columns are: {', '.join(map(repr, known[:20])) or 'none'}. Give the "
        "measured values that column name and the role target at ingest.",
    )
