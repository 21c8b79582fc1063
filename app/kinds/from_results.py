"""`{"$from": "train.result.model_ref"}`: a value in a job's params that another job's result has.

Pure: how it is written, where it stands, what it stands for. `deferred.py` fills it in.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.core.errors import FieldError, InvalidInput
from app.core.json_values import escape
from app.core.names import listed

MARK = "$from"
_FORM = re.compile(r"(?P<job>[^.]{1,100})\.result(?P<path>(?:\.[^.\[\]]{1,200}|\[\d{1,6}\]){0,20})")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_NEED = re.compile(r"needs\[(\d{1,3})\]")
_MAX_REFERENCES = 100

Path = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True)
class Reference:
    #: where in the params it stands
    place: Path
    #: which job: a workflow's key, `needs[0]`, an id
    job: str
    #: where in that job's result the value is
    path: Path

    @property
    def pointer(self) -> str:
        return pointer_of(self.place)

    def text(self, job: object) -> str:
        steps = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in self.path)
        return f"{job}.result{steps}"


def pointer_of(place: Path) -> str:
    return "/params" + "".join(f"/{escape(part)}" for part in place)


def contains_references(params: object) -> bool:
    if isinstance(params, dict):
        return MARK in params or any(contains_references(value) for value in params.values())
    return isinstance(params, list) and any(contains_references(value) for value in params)


def references_in(params: dict[str, Any]) -> list[Reference]:
    """Every reference. Raises InvalidInput for one that is not written as it should be."""
    found: list[Reference] = []
    _collect(params, (), found)
    if len(found) > _MAX_REFERENCES:
        raise _wrong((), f"{len(found)} references are more than the {_MAX_REFERENCES} allowed")
    return found


def _collect(value: Any, place: Path, found: list[Reference]) -> None:
    if isinstance(value, dict) and MARK in value:
        found.append(_parse(value, place))
    elif isinstance(value, dict):
        for name, inner in value.items():
            _collect(inner, (*place, name), found)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _collect(inner, (*place, number), found)


def _parse(value: dict[str, Any], place: Path) -> Reference:
    text = value[MARK]
    if not place or len(value) > 1:
        raise _wrong(place, f"{MARK} stands alone in an object, in the place of one value")
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise _wrong(place, f"{text!r} is not of the form <job>.result.<name>")
    steps = tuple(name or int(number) for name, number in _STEP.findall(match["path"]))
    return Reference(place=place, job=match["job"], path=steps)


def _wrong(place: Path, detail: str) -> InvalidInput:
    return InvalidInput(
        detail,
        remedy='Write {"$from": "<key>.result.best_params"} in a workflow, or'
        ' {"$from": "needs[0].result.best_params"} in a job with `needs`.',
        errors=[FieldError(pointer=pointer_of(place), code="wrong_reference", detail=detail)],
    )


def need_of(reference: Reference, needs: Sequence[UUID]) -> UUID:
    """The id that `needs[0]`, or an id, means. Raises InvalidInput for what is not in `needs`."""
    match = _NEED.fullmatch(reference.job)
    if match and int(match[1]) < len(needs):
        return needs[int(match[1])]
    for need in needs:
        if str(need) == reference.job:
            return need
    raise _wrong(
        reference.place, f"{reference.job!r} is none of the {len(needs)} jobs that this one needs"
    )


def rewritten(
    params: dict[str, Any], references: Iterable[Reference], value: Callable[[Reference], Any]
) -> dict[str, Any]:
    """A copy of the params with `value(reference)` in the place of each reference."""
    places = {reference.place: reference for reference in references}

    def copy(one: Any, place: Path) -> Any:
        if place in places:
            return value(places[place])
        if isinstance(one, dict):
            return {name: copy(inner, (*place, name)) for name, inner in one.items()}
        if isinstance(one, list):
            return [copy(inner, (*place, number)) for number, inner in enumerate(one)]
        return one

    copied: dict[str, Any] = copy(params, ())
    return copied


def without(params: dict[str, Any], references: Iterable[Reference]) -> dict[str, Any]:
    """A copy of the params that leaves out the fields whose values come later, so that the rest
    can be looked at; an item of a list stays, because the others are named by their number.
    """
    copied = rewritten(params, (), lambda _: None)
    for reference in references:
        holder: Any = copied
        for part in reference.place[:-1]:
            holder = holder[part]
        if isinstance(holder, dict):
            del holder[reference.place[-1]]
    return copied


def value_of(reference: Reference, result: dict[str, Any], job: object) -> Any:
    """What the result of `job` has there. Raises InvalidInput naming what it has instead."""
    value: Any = result
    for depth, step in enumerate(reference.path):
        steps = dict(enumerate(value)) if isinstance(value, list) else value
        if not isinstance(steps, dict) or step not in steps:
            raise _missing(reference, value, depth, job)
        value = steps[step]
    return value


def _missing(reference: Reference, value: Any, depth: int, job: object) -> InvalidInput:
    step = str(reference.path[depth])
    known = [str(name) for name in value] if isinstance(value, dict) else []
    there = f"it has {listed(step, known)}" if known else "there is nothing below it"
    detail = f"{reference.text(job)}: the job's result has no {step!r}; {there}"
    return InvalidInput(
        detail,
        remedy="Submit it again with a name that the result has.",
        errors=[FieldError(pointer=reference.pointer, code="missing_value", detail=detail)],
    )
