"""Field names in PascalCase and back, for programs whose wire format is written so. Only fields
that a model declares are renamed: keys of free maps (metrics, parameters, labels) are data.
"""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel

from app.core.errors import FieldError, InvalidInput

JsonObject = dict[str, Any]


def pascal(name: str) -> str:
    """k_fold -> KFold"""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def to_pascal(said: Mapping[str, Any], model: type[BaseModel]) -> JsonObject:
    """What `model` would dump, with its names changed."""
    fields = model.model_fields
    return {
        pascal(name) if name in fields else name: _parts_to_pascal(value, _part(fields, name))
        for name, value in said.items()
    }


def from_pascal(
    said: Mapping[str, Any], model: type[BaseModel], other_names: Mapping[str, str] | None = None
) -> tuple[JsonObject, dict[str, str]]:
    """What `model` can validate, and {our pointer: theirs} of every name that was changed, inner
    ones first. Names are read in any case; `other_names`: {lower case: our field} that a sender
    may write too. What no field is called stays as it is, to be refused by `model`.

    Raises InvalidInput when two names mean one field.
    """
    pointers: dict[str, str] = {}
    read = _from_pascal(said, model, other_names or {}, ("", ""), pointers)
    return read, pointers


def _from_pascal(
    said: Mapping[str, Any],
    model: type[BaseModel],
    other_names: Mapping[str, str],
    here: tuple[str, str],
    pointers: dict[str, str],
) -> JsonObject:
    fields = model.model_fields
    ours = {name.replace("_", ""): name for name in fields} | dict(other_names)
    read: JsonObject = {}
    for theirs, value in said.items():
        name = ours.get(theirs.replace("_", "").lower(), theirs)
        if name in read:
            raise _twice(f"{here[1]}/{theirs}", name)
        place = (f"{here[0]}/{name}", f"{here[1]}/{theirs}")
        read[name] = _parts_from_pascal(value, _part(fields, name), place, pointers)
        pointers[place[0]] = place[1]
    return read


def _parts_to_pascal(value: Any, part: type[BaseModel] | None) -> Any:
    if part is None:
        return value
    if isinstance(value, list):
        return [_parts_to_pascal(one, part) for one in value]
    return to_pascal(value, part) if isinstance(value, dict) else value


def _parts_from_pascal(
    value: Any, part: type[BaseModel] | None, place: tuple[str, str], pointers: dict[str, str]
) -> Any:
    if part is None:
        return value
    if isinstance(value, list):
        return [
            _parts_from_pascal(one, part, (f"{place[0]}/{n}", f"{place[1]}/{n}"), pointers)
            for n, one in enumerate(value)
        ]
    return _from_pascal(value, part, {}, place, pointers) if isinstance(value, dict) else value


def _part(fields: Mapping[str, Any], name: str) -> type[BaseModel] | None:
    """The model that the field holds, or holds several of; None: something else."""
    return _model_in(fields[name].annotation) if name in fields else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(inner) for inner in get_args(annotation))
    return next((model for model in found if model is not None), None)


def _twice(pointer: str, name: str) -> InvalidInput:
    detail = f"{pascal(name)} is given twice"
    return InvalidInput(
        detail, errors=[FieldError(pointer=pointer, code="invalid_input", detail=detail)]
    )
