"""Every type of event (requirements 6.5), by name: one class each, in the file of its field."""

from app.events.types import (
    data,
    endpoints,
    jobs,
    learning,
    models,
    monitoring,
    operations,
    prediction,
)
from app.events.types.base import EventData

__all__ = ["FAMILIES", "TYPES", "EventData", "family_of"]

_MODULES = (jobs, data, learning, models, prediction, endpoints, monitoring, operations)

#: by the exact name; the order of the documents
TYPES: dict[str, type[EventData]] = {
    cls.__name__: cls
    for module in _MODULES
    for cls in vars(module).values()
    if isinstance(cls, type) and issubclass(cls, EventData) and cls.__module__ == module.__name__
    if not cls.__name__.startswith("_")
}

#: of types that belong together; topics are named by them
FAMILIES = tuple(module.__name__.rpartition(".")[2] for module in _MODULES)


def family_of(type_name: str) -> str:
    """The file that the type is written in. Raises KeyError for an unknown one."""
    return TYPES[type_name].__module__.rpartition(".")[2]
