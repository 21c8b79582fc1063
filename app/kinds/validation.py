"""Params of a job that did not come through a route's own model: a patch, a value filled in."""

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
        wrong = field_errors(error.errors(), kind.params, prefix=pointer)
        meant = suggestions(error.errors(), kind.params)
        raise InvalidInput(
            f"the params of this {kind.name} job are not valid: "
            + "; ".join(f"{one['pointer']}: {one['detail']}" for one in wrong[:5]),
            code="invalid_request",
            remedy=" ".join(meant) or None,
            errors=wrong,
        ) from error
