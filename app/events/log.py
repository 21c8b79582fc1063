"""Writing: an event is a row of the transaction that it tells of. Both happen, or neither."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.core.ids import new_id
from app.db.database import Cursor
from app.events.types import EventData


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """Something that has happened, as soon as its transaction commits."""

    project_id: UUID
    #: what it is about, e.g. jobs/<id>; events of one subject are read in the order of writing
    subject: str
    data: EventData
    correlation_id: str | None = None
    #: of the subject; webhooks choose by them
    labels: dict[str, str] = field(default_factory=dict)
    id: UUID = field(default_factory=new_id)


_INSERT: LiteralString = """
INSERT INTO events (id, project_id, type, type_version, subject, correlation_id, labels, data)
SELECT id, project_id, type, type_version, subject, correlation_id, labels, data
FROM ROWS FROM (jsonb_to_recordset(%s) AS (
    id uuid, project_id uuid, type text, type_version bigint, subject text, correlation_id text,
    labels jsonb, data jsonb)) WITH ORDINALITY
ORDER BY ordinality
"""


def record(cursor: Cursor, events: Sequence[NewEvent]) -> None:
    """One statement for all. The caller holds the lock of each subject, so that what happened to
    it later is written later.
    """
    if events:
        cursor.execute(_INSERT, (Jsonb([_row(event) for event in events]),))


def _row(event: NewEvent) -> dict[str, object]:
    return {
        "id": str(event.id),
        "project_id": str(event.project_id),
        "type": event.data.type_name(),
        "type_version": event.data.schema_version,
        "subject": event.subject,
        "correlation_id": event.correlation_id,
        "labels": event.labels,
        "data": event.data.model_dump(mode="json"),
    }
