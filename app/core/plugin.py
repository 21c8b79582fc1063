"""What every plug-in (featurizer, algorithm, splitter, metric) declares about itself."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from app.core.errors import InvalidInput
from app.core.validation import field_errors, suggestions


class PluginParams(BaseModel):
    """Base of all plug-in parameters: frozen, unknown names refused; its schema is the API's."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    #: what scikit-learn, or the library itself, calls a parameter that has another name here
    also_called: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _by_our_names(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        ours: dict[Any, Any] = {}
        for given, value in values.items():
            name = cls.also_called.get(given, given)
            if name in ours:
                raise ValueError(f"{name} is given twice, once in other words")
            ours[name] = value
        return ours


class Plugin:
    """Class attributes shared by all plug-ins; parameters are validated at construction."""

    #: the one name (snake_case) used in requests, manifests and the catalog
    name: ClassVar[str]
    #: raised when the numbers it gives change; part of every cache key
    version: ClassVar[int] = 1
    #: other accepted spellings (scikit-learn's, OSDR's)
    aliases: ClassVar[tuple[str, ...]] = ()
    #: one sentence for the catalog
    summary: ClassVar[str] = ""
    #: paper or reference implementation
    reference: ClassVar[str] = ""

    class Params(PluginParams):
        """No parameters unless a plug-in declares some."""

    def __init__(self, params: PluginParams | None = None) -> None:
        self.params: Any = params if params is not None else self.Params()

    @classmethod
    def parse_params(cls, values: dict[str, Any]) -> Any:
        """Validated `Params`; raises InvalidInput naming each wrong field."""
        try:
            return cls.Params.model_validate(values)
        except ValidationError as error:
            known = ", ".join(cls.Params.model_fields) or "none"
            meant = suggestions(error.errors(), cls.Params)
            raise InvalidInput(
                f"the parameters of {cls.name!r} are not valid",
                code="invalid_parameters",
                remedy=" ".join([*meant, f"Known parameters: {known}."]),
                errors=field_errors(error.errors(), cls.Params),
            ) from error

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Any:
        """An instance with validated parameters."""
        return cls(cls.parse_params(values))
