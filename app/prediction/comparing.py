"""Comparisons as they are asked for over HTTP: of values in the request, of stored columns."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from app.prediction.comparison import Comparison, compare_batch
from app.prediction.matching import matched
from app.prediction.stored_values import StoredColumn, read_column
from app.resources import Resources

_WORST = 20


def compare_items(payload: dict[str, Any]) -> dict[str, Any]:
    """`payload`: {"items": [{"id", "predicted", "reference"}], "units", "reference_units",
    "tolerances"}. All items are answered, in order. Raises InvalidInput.
    """
    items = payload["items"]
    found = compare_batch(
        [(item["predicted"], item["reference"]) for item in items],
        units=payload["units"],
        reference_units=payload["reference_units"],
        tolerances=payload["tolerances"],
    )
    return {
        "properties": {name: asdict(summary) for name, summary in found.properties.items()},
        "items": _shown([item["id"] for item in items], found.items),
        "matched": None,
        "notes": [],
    }


def compare_given(resources: Resources, payload: dict[str, Any]) -> dict[str, Any]:
    """The same, asked of a worker."""
    del resources
    return compare_items(payload)


def compare_stored(resources: Resources, payload: dict[str, Any]) -> dict[str, Any]:
    """`payload`: {"predicted", "reference", "tolerance"}, the first two as `resolve_stored` gives
    them. The 20 worst items are answered, the worst first.

    The property is called as the reference's column. Raises InvalidInput.
    """
    predicted = read_column(resources, payload["predicted"])
    reference = read_column(resources, payload["reference"])
    name, pairs = reference.name, matched(predicted, reference)
    units = {name: predicted.unit} if predicted.unit else {}
    reference_units = {name: reference.unit} if reference.unit else {}
    tolerance = payload["tolerance"]
    found = compare_batch(
        [({name: p}, {name: r}) for p, r in zip(pairs.predicted, pairs.reference, strict=True)],
        units=units,
        reference_units=reference_units,
        tolerances={} if tolerance is None else {name: tolerance},
    )
    worst = _worst(found.items, name)
    return {
        "properties": {name: asdict(found.properties[name])},
        "items": _shown([pairs.ids[n] for n in worst], [found.items[n] for n in worst]),
        "matched": pairs.counts,
        "notes": _notes(predicted, reference),
    }


def _shown(ids: Sequence[Any], items: Sequence[Comparison]) -> list[dict[str, Any]]:
    return [{"id": id_, **asdict(item)} for id_, item in zip(ids, items, strict=True)]


def _worst(items: Sequence[Comparison], name: str) -> list[int]:
    errors = np.array(
        [
            item.comparisons[name].absolute_error if name in item.comparisons else -1.0
            for item in items
        ]
    )
    order = np.argsort(-errors, kind="stable")
    return [int(place) for place in order[:_WORST] if errors[place] >= 0]


def _notes(predicted: StoredColumn, reference: StoredColumn) -> list[str]:
    known = predicted.unit or reference.unit
    notes = [
        f"{side.said} has no unit; it was taken to be in {known}"
        for side in (predicted, reference)
        if known and side.unit is None
    ]
    if known is None:
        notes.append("no unit is known: both columns were taken to be in one")
    return notes
