"""Events over HTTP: the envelope as it is everywhere, and the list of types."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel


class EventAnswer(BaseModel):
    """CloudEvents 1.0; `data` is as the schema at `dataschema` says."""

    specversion: Literal["1.0"]
    #: UUIDv7; an event may be read twice, with the same id
    id: UUID
    source: str
    type: str
    #: what it is about, e.g. jobs/<id>
    subject: str
    time: datetime
    datacontenttype: Literal["application/json"]
    dataschema: str
    #: left out where there is none
    correlationid: str | None = None
    data: dict[str, Any]


class EventPage(BaseModel):
    items: list[EventAnswer]
    next_cursor: str | None
    #: the place of the newest event that is published: a stream that begins behind it misses none
    newest_seq: int


class EventTypeAnswer(BaseModel):
    type: str
    version: int
    #: path of the JSON Schema
    schema_path: str
    #: false: declared, but nothing of this release sends it
    sent: bool
    description: str


class EventTypePage(BaseModel):
    items: list[EventTypeAnswer]
    next_cursor: None = None
