"""What pydantic says of a request, told in our words: pointers a client knows, nearest names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from app.core.errors import FieldError, InvalidInput
from app.core.names import listed, near, shown

#: a body of a million wrong fields is answered with as many as a person reads
_MOST = 50
_QUOTED = re.compile(r"'([^']*)'")
_SEQUENCES = (list, tuple, set, frozenset, Sequence, Iterable)


def field_errors(
    items: Iterable[Mapping[str, Any]], form: Any, *, prefix: str = ""
) -> list[FieldError]:
    """One entry for each wrong field.

    `items`: of `ValidationError.errors()`; `form`: the type that was validated; `prefix`: pointer
    of the place where the value stands.
    """
    found = []
    for number, item in enumerate(items):
        if number == _MOST:
            break
        steps, parent = _walk(form, item["loc"])
        pointer = prefix + "".join(f"/{_escaped(step)}" for step in steps)
        found.append(
            FieldError(pointer=pointer or "/", code=item["type"], detail=_detail(item, parent))
        )
    return found


def invalid(
    subject: str,
    items: Sequence[Mapping[str, Any]],
    form: Any,
    *,
    prefix: str = "",
    code: str | None = None,
) -> InvalidInput:
    """What to raise: `subject` (`... is not valid`), then each field; others as of field_errors."""
    found = field_errors(items, form, prefix=prefix)
    return InvalidInput(
        f"{subject}: " + "; ".join(f"{one['pointer']}: {one['detail']}" for one in found[:5]),
        code=code,
        remedy=" ".join(suggestions(items, form)) or None,
        errors=found,
    )


def suggestions(items: Iterable[Mapping[str, Any]], form: Any) -> list[str]:
    """`Write 'dataset' instead of 'datset'.` for what was probably mistyped."""
    said = []
    for number, item in enumerate(items):
        if number == _MOST:
            break
        _, parent = _walk(form, item["loc"])
        typed, known = _choice(item, parent)
        meant = near(typed, known, most=1) if typed is not None else []
        if meant:
            said.append(f"Write {meant[0]!r} instead of {shown(typed)}.")
    return said


def _detail(item: Mapping[str, Any], parent: Any) -> str:
    typed, known = _choice(item, parent)
    if item["type"] == "extra_forbidden":
        names = f"; its fields are: {listed(typed or '', known)}" if known else ""
        return f"there is no field {shown(typed)}{names}"
    if typed is not None and known:
        return f"{shown(typed)} is none of: {listed(typed, known)}"
    if item["type"] == "missing":
        return "the field is missing"
    return str(item["msg"]).removeprefix("Value error, ")


def _choice(item: Mapping[str, Any], parent: Any) -> tuple[str | None, list[str]]:
    """What was typed and what could have been, where it is a choice among names."""
    context = item.get("ctx", {})
    if item["type"] == "extra_forbidden":
        return str(item["loc"][-1]), _fields(parent)
    if item["type"] == "union_tag_invalid":
        return str(context.get("tag")), _QUOTED.findall(str(context.get("expected_tags", "")))
    if item["type"] in ("literal_error", "enum") and isinstance(item.get("input"), str):
        return item["input"], _QUOTED.findall(str(context.get("expected", "")))
    return None, []


def _fields(model: Any) -> list[str]:
    if not _is_model(model):
        return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _walk(form: Any, location: Sequence[Any]) -> tuple[list[str], Any]:
    """The steps that a client would count, without pydantic's names for the branches of a union;
    and the type that holds the last of them.
    """
    steps: list[str] = []
    here, parent = form, form
    for step in location:
        here = _bare(here)
        branches = _branches(here)
        if branches and not isinstance(step, int):
            here = parent = next((b for b in branches if _is_branch(b, str(step))), None)
            continue
        parent = here
        steps.append(str(step))
        here = _below(here, step)
    return steps, _bare(parent)


def _bare(form: Any) -> Any:
    """Without Annotated and `| None`."""
    while True:
        if get_origin(form) is Annotated:
            form = get_args(form)[0]
        elif _is_union(form) and len(rest := [a for a in get_args(form) if a is not NoneType]) == 1:
            form = rest[0]
        else:
            return form


def _branches(form: Any) -> list[Any]:
    return [_bare(a) for a in get_args(form) if a is not NoneType] if _is_union(form) else []


def _is_union(form: Any) -> bool:
    return get_origin(form) in (Union, UnionType)


def _is_branch(branch: Any, label: str) -> bool:
    """`label` is a discriminator's value, or the name of the type."""
    if getattr(branch, "__name__", "") == label:
        return True
    if not _is_model(branch):
        return False
    return any(
        get_origin(field.annotation) is Literal and label in get_args(field.annotation)
        for field in branch.model_fields.values()
    )


def _below(form: Any, step: Any) -> Any:
    if _is_model(form):
        for name, field in form.model_fields.items():
            if step in (name, field.alias):
                return field.annotation
        return None
    arguments = get_args(form)
    if get_origin(form) in _SEQUENCES and arguments:
        return arguments[0]
    if get_origin(form) is dict and len(arguments) == 2:  # noqa: PLR2004 - key and value
        return arguments[1]
    return None


def _is_model(form: Any) -> bool:
    return isinstance(form, type) and issubclass(form, BaseModel)


def _escaped(step: str) -> str:
    """RFC 6901."""
    text = step if len(step) <= 200 else step[:200] + "..."  # noqa: PLR2004 - a field of any length
    return text.replace("~", "~0").replace("/", "~1")
