"""What the event log is told of endpoints: each revision, in the transaction that makes it."""

from app.db.database import Cursor
from app.db.endpoints import EndpointRevisionRow, EndpointRow
from app.events.log import NewEvent, record
from app.events.types import EventData
from app.events.types.endpoints import EndpointRevised, EndpointRolledBack

_BACK = ("rolled_back", "canary_rolled_back")


def tell_revision(
    cursor: Cursor, endpoint: EndpointRow, row: EndpointRevisionRow, *, before: int | None
) -> None:
    """`before`: the number of the revision that it takes over from."""
    told: EventData
    if row.reason in _BACK:
        told = EndpointRolledBack(
            name=endpoint.name,
            from_revision=before,
            to_revision=row.number,
            restores=row.restores,
            reason=row.reason,
            note=row.note,
            by=row.created_by,
        )
    else:
        told = EndpointRevised(
            name=endpoint.name,
            from_revision=before,
            to_revision=row.number,
            reason=row.reason,
            note=row.note,
            by=row.created_by,
        )
    event = NewEvent(
        project_id=endpoint.project_id,
        subject=f"endpoints/{endpoint.name}",
        labels=endpoint.labels,
        data=told,
    )
    record(cursor, [event])
