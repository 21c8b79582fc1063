"""Base of every typed request body and of plug-in references in them."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

#: a resource name: lower-case slug
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", examples=["esol"])]


class RequestModel(BaseModel):
    """Frozen; unknown fields are refused (422 naming the field)."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Immutable, so its own copy: pydantic copies defaults for every request."""
        return self


class PluginSpec(RequestModel):
    """A plug-in by name with its parameters: {"name": "morgan_counts", "params": {"radius": 2}}."""

    name: str = Field(max_length=100, examples=["morgan_counts"])
    params: dict[str, Any] = Field(default_factory=dict)
