"""Params of a job that did not come through a route's own model: a patch, a value filled in."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from app.core.errors import InvalidInput
from app.core.requests import RequestModel
from app.core.validation import invalid
from app.kinds.base import JobKind


def parse_params(kind: JobKind, values: dict[str, Any], pointer: str = "/params") -> RequestModel:
    """Validated params. Raises InvalidInput that names each wrong field below `pointer`."""
    try:
        return kind.params.model_validate(values)
    except ValidationError as error:
        raise invalid_params(kind, error.errors(), pointer) from error


def invalid_params(kind: JobKind, wrong: Sequence[Any], pointer: str = "/params") -> InvalidInput:
    """What to raise; `wrong`: of `ValidationError.errors()`."""
    subject = f"the params of this {kind.name} job are not valid"
    return invalid(subject, wrong, kind.params, prefix=pointer, code="invalid_request")
