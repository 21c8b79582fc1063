"""Params of a job that did not come through a route's own model: a patch, a value filled in."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from app.core.errors import InvalidInput
from app.core.requests import RequestModel
from app.core.validation import field_errors, suggestions
from app.kinds.base import JobKind


def parse_params(kind: JobKind, values: dict[str, Any], pointer: str = "/params") -> RequestModel:
    """Validated params. Raises InvalidInput that names each wrong field below `pointer`."""
    try:
        return kind.params.model_validate(values)
    except ValidationError as error:
        raise invalid_params(kind, error.errors(), pointer) from error


def invalid_params(kind: JobKind, wrong: Sequence[Any], pointer: str = "/params") -> InvalidInput:
    """What to raise; `wrong`: of `ValidationError.errors()`."""
    found = field_errors(wrong, kind.params, prefix=pointer)
    return InvalidInput(
        f"the params of this {kind.name} job are not valid: "
        + "; ".join(f"{one['pointer']}: {one['detail']}" for one in found[:5]),
        code="invalid_request",
        remedy=" ".join(suggestions(wrong, kind.params)) or None,
        errors=found,
    )
