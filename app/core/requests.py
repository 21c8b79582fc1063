"""Base of every typed request body and of plug-in references in them."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
)
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_before_validator_function

_WRITTEN_NUMBER = re.compile(r"\s*[+-]?[\d_.]+(?:[eE][+-]?\d+)?\s*")

#: a resource name: lower-case slug
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", examples=["esol"])]


def _written_out(value: Any) -> Any:
    """Pydantic takes a number for seconds since 1970, which the schema does not say."""
    number = isinstance(value, int | float) or (
        isinstance(value, str) and _WRITTEN_NUMBER.fullmatch(value) is not None
    )
    if number:
        raise ValueError("a time is written as RFC 3339 says, e.g. 2026-11-28T00:00:00Z")
    return value


#: a time with its offset, as text
Instant = Annotated[AwareDatetime, BeforeValidator(_written_out)]


class RequestModel(BaseModel):
    """Frozen; unknown fields are refused (422 naming the field), and so are truth values in the
    place of numbers and numbers in the place of truth values, which pydantic takes for each other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Each field's own schema behind its check: a validator of the class would stand in the way
        of fields that tell the models of a union apart.
        """
        schema = handler(source)
        inner: Any = handler.resolve_ref_schema(schema)
        while inner["type"] != "model-fields":
            inner = inner["schema"]
        for field in inner["fields"].values():
            holder = field if field["schema"]["type"] != "default" else field["schema"]
            check = _check_of(holder["schema"])
            if check is not None:
                holder["schema"] = no_info_before_validator_function(check, holder["schema"])
        return schema

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Immutable, so its own copy: pydantic copies defaults for every request."""
        return self


_NUMERIC = frozenset({"int", "float"})


def _check_of(schema: Any) -> Callable[[Any], Any] | None:
    """For a field of truth values or of numbers alone, None allowed or not."""
    while schema["type"] == "nullable":
        schema = schema["schema"]
    if schema["type"] == "bool":
        return _truth
    return _number if schema["type"] in _NUMERIC else None


def _truth(value: Any) -> Any:
    if value is not None and not isinstance(value, bool):
        raise ValueError("true or false is wanted")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a number is wanted, not true or false")  # noqa: TRY004 - pydantic's way
    return value


class PluginSpec(RequestModel):
    """A plug-in by name with its parameters: {"name": "morgan_counts", "params": {"radius": 2}}."""

    name: str = Field(max_length=100, examples=["morgan_counts"])
    params: dict[str, Any] = Field(default_factory=dict)
