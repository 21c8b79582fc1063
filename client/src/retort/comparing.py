"""What people have in hands, as the two sides of a comparison."""

from collections.abc import Mapping
from typing import Any

from retort.inputs import is_frame, plain, records
from retort.records import Json, id_of, ref_of

#: the property that plain numbers are
_VALUE = "value"


def comparison_of(
    predicted: Any, reference: Any, units: Any, reference_units: Any, tolerances: Any
) -> Json:
    """The request's body. Raises ValueError for sides of different length."""
    sides = (_things(predicted), _things(reference))
    if len(sides[0]) != len(sides[1]):
        raise ValueError(f"{len(sides[0])} predicted and {len(sides[1])} reference values")
    items = [{"predicted": p, "reference": r} for p, r in zip(*sides, strict=True)]
    said = {"units": units, "reference_units": reference_units, "tolerances": tolerances}
    return {"items": items} | {
        name: dict(value) if isinstance(value, Mapping) else {_VALUE: value}
        for name, value in said.items()
        if value is not None
    }


def stored_comparison_of(
    predicted: Mapping[str, Any], reference: Mapping[str, Any], tolerance: float | None
) -> Json:
    body: Json = {"predicted": _stored(predicted), "reference": _stored(reference)}
    return body if tolerance is None else body | {"tolerance": tolerance}


def _things(values: Any) -> list[dict[str, Any]]:
    if isinstance(values, Mapping):
        return [_thing(values)]
    if is_frame(values):
        return [_thing(row) for row in records(values)]
    if hasattr(values, "__iter__") and not isinstance(values, str):
        return [_thing(value) for value in values]
    return [_thing(values)]


def _thing(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {str(name): plain(cell) for name, cell in value.items()}
    return {_VALUE: plain(value)}


def _stored(given: Mapping[str, Any]) -> Json:
    """Objects by their names."""
    name_of = {"dataset": ref_of, "model": ref_of, "job": id_of}
    return {
        name: name_of[name](value) if name in name_of else value
        for name, value in given.items()
        if value is not None
    }
