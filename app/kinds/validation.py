"""Params of a job that did not come through a route's own model: a patch, a value filled in."""

from typing import Any

from pydantic import ValidationError

from app.core.errors import FieldError, InvalidInput
from app.core.json_values import escape
from app.core.requests import RequestModel
from app.kinds.base import JobKind


def parse_params(kind: JobKind, values: dict[str, Any], pointer: str = "/params") -> RequestModel:
    """Validated params. Raises InvalidInput that names each wrong field below `pointer`."""
    try:
        return kind.params.model_validate(values)
    except ValidationError as error:
        wrong = field_errors(error, pointer)
        raise InvalidInput(
            f"the params of this {kind.name} job are not valid: "
            + "; ".join(f"{one['pointer']}: {one['detail']}" for one in wrong[:5]),
            errors=wrong,
        ) from error


def field_errors(error: ValidationError, pointer: str) -> list[FieldError]:
    return [
        FieldError(
            pointer="/".join([pointer, *(escape(part) for part in item["loc"])]),
            code=item["type"],
            detail=item["msg"],
        )
        for item in error.errors()
    ]
