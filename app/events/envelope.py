"""CloudEvents 1.0 in JSON: how an event looks to whoever reads it, over each way the same."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

SPEC_VERSION = "1.0"
MEDIA_TYPE = "application/cloudevents+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A published row of the log."""

    id: UUID
    #: the order in which everybody reads; 0: it has none yet
    seq: int
    project_id: UUID
    at: datetime
    type: str
    type_version: int
    subject: str
    correlation_id: str | None
    data: dict[str, Any]


#: for SELECT; what an Event is made of
COLUMNS = (
    "e.id, coalesce(e.seq, 0) AS seq, e.project_id, e.at, e.type, e.type_version, e.subject,"
    " e.correlation_id, e.data"
)


def envelope(event: Event) -> dict[str, Any]:
    """`correlationid` is left out where there is none (an attribute is never null)."""
    said = {
        "specversion": SPEC_VERSION,
        "id": str(event.id),
        "source": f"/retort/projects/{event.project_id}",
        "type": event.type,
        "subject": event.subject,
        "time": event.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "dataschema": f"/schemas/{event.type}/{event.type_version}",
    }
    if event.correlation_id is not None:
        said["correlationid"] = event.correlation_id
    return {**said, "data": event.data}


def as_bytes(event: Event) -> bytes:
    """The same bytes each time: what a webhook's signature covers."""
    return orjson.dumps(envelope(event))
