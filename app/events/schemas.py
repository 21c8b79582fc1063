"""JSON Schemas of the envelopes, made from the classes of app/events/types.

A schema says which fields there are, not that there are no others: a later release may add some.
"""

from functools import cache
from typing import Any

from pydantic import BaseModel

from app.core.errors import NotFound
from app.events.envelope import SPEC_VERSION
from app.events.types import TYPES, EventData

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
Json = dict[str, Any]
_STRING = {"type": "string"}


def listed() -> list[dict[str, Any]]:
    """Every type: its name, version, where its schema is, whether this release sends it."""
    return [
        {
            "type": name,
            "version": cls.schema_version,
            "schema_path": path_of(cls),
            "sent": cls.sent,
            "description": said_of(cls),
        }
        for name, cls in TYPES.items()
    ]


def path_of(cls: type[EventData]) -> str:
    return f"/schemas/{cls.type_name()}/{cls.schema_version}"


def schema(name: str, version: int) -> dict[str, Any]:
    """Of the whole envelope. Raises NotFound."""
    cls = TYPES.get(name)
    if cls is None or cls.schema_version != version:
        raise NotFound(
            f"there is no event type {name[:80]!r} of version {version}",
            remedy="GET /schemas lists the types.",
        )
    return envelope_schema(cls)


@cache
def envelope_schema(cls: type[EventData]) -> dict[str, Any]:
    """CloudEvents 1.0 with the data of this type; the caller changes nothing in it."""
    data = cls.model_json_schema(mode="serialization", ref_template="#/$defs/{model}")
    inner = data.pop("$defs", {})
    return {
        "$schema": _DIALECT,
        "$id": path_of(cls),
        "title": cls.type_name(),
        "description": said_of(cls),
        "type": "object",
        "required": [
            *("specversion", "id", "source", "type", "subject", "time"),
            *("datacontenttype", "dataschema", "data"),
        ],
        "properties": {
            "specversion": {"const": SPEC_VERSION},
            "id": {
                "type": "string",
                "format": "uuid",
                "description": "UUIDv7; drop repeated ones.",
            },
            "source": {"type": "string", "pattern": "^/retort/projects/[0-9a-f-]{36}$"},
            "type": {"const": cls.type_name()},
            "subject": {**_STRING, "description": "Events of one subject arrive in their order."},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": {"const": path_of(cls)},
            "correlationid": {**_STRING, "description": "Left out where there is none."},
            "data": _open(data),
        },
        **({"$defs": {name: _open(one) for name, one in inner.items()}} if inner else {}),
    }


def _open(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "additionalProperties"}


def said_of(cls: type[BaseModel]) -> str:
    return " ".join((cls.__doc__ or "").split())
