"""What is to be sent to which webhook: made from the log, listed, sent again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, NotFound
from app.core.ids import new_id
from app.db.database import Cursor, Database, cursor_of
from app.db.events import WebhookDeliveryRow, WebhookRow
from app.events.envelope import Event
from app.events.log import NewEvent, record
from app.events.publisher import last_published
from app.events.reading import find_event
from app.events.types import TYPES
from app.events.types.operations import WebhookTested

_BATCH = 500
#: deliveries that one replay sends again; more ask for another one
MOST_REPLAYED = 1_000

_PRIVATE = [name for name, cls in TYPES.items() if not cls.subscribable]
_MATCHES: LiteralString = """
e.project_id = w.project_id AND e.type <> ALL(%(private)s)
AND (w.types = '[]'::jsonb OR w.types ? e.type) AND e.labels @> w.filter
"""
_INSERT: LiteralString = """
INSERT INTO webhook_deliveries (id, webhook_id, event_id, number, subject, type)
SELECT id, webhook_id, event_id, number, subject, type
FROM jsonb_to_recordset(%s) AS (
    id uuid, webhook_id uuid, event_id uuid, number bigint, subject text, type text)
ON CONFLICT (webhook_id, event_id)
"""
_AGAIN: LiteralString = """
DO UPDATE SET state = 'pending', attempt = 0, replays = webhook_deliveries.replays + 1,
    next_at = now(), claim_token = NULL
WHERE webhook_deliveries.state <> 'pending' RETURNING id
"""


def fan_out(database: Database) -> int:
    """A delivery for each active webhook that asked for an event; how many. Each webhook notes how
    far it has looked in the transaction that makes its deliveries; two at once pass by each other.
    """
    with database.cursor() as cursor:
        last = last_published(cursor)
        cursor.execute(
            "SELECT id FROM webhooks WHERE state = 'active' AND seen_seq < %s ORDER BY id", (last,)
        )
        behind = [row["id"] for row in cursor.fetchall()]
    made = 0
    for webhook_id in behind:
        while True:
            found, done = _fan_out_one(database, webhook_id, last)
            made += found
            if done:
                break
    return made


def _fan_out_one(database: Database, webhook_id: UUID, last: int) -> tuple[int, bool]:
    """A batch; how many deliveries, and whether that was all."""
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT seen_seq FROM webhooks WHERE id = %s AND state = 'active' AND seen_seq < %s"
            " FOR UPDATE SKIP LOCKED",
            (webhook_id, last),
        )
        row = cursor.fetchone()
        if row is None:
            return 0, True
        cursor.execute(
            "SELECT e.id, e.number, e.seq, e.subject, e.type FROM events e, webhooks w"
            f" WHERE w.id = %(id)s AND e.seq > %(seen)s AND e.seq <= %(last)s AND {_MATCHES}"
            " ORDER BY e.seq LIMIT %(batch)s",
            {
                "id": webhook_id,
                "seen": row["seen_seq"],
                "last": last,
                "private": _PRIVATE,
                "batch": _BATCH,
            },
        )
        found = cursor.fetchall()
        seen = found[-1]["seq"] if len(found) == _BATCH else last
        cursor.execute("UPDATE webhooks SET seen_seq = %s WHERE id = %s", (seen, webhook_id))
        cursor.execute(_INSERT + " DO NOTHING", (_rows(webhook_id, found),))
        return len(found), seen == last


def send_test(session: Session, webhook: WebhookRow, *, by: str) -> WebhookDeliveryRow:
    """A WebhookTested, for this webhook only. Raises Conflict unless it is active."""
    _check_active(webhook)
    cursor = cursor_of(session)
    event = NewEvent(
        project_id=webhook.project_id,
        subject=f"webhooks/{webhook.id}",
        data=WebhookTested(webhook_id=str(webhook.id), by=by),
    )
    record(cursor, [event])
    cursor.execute("SELECT id, number, subject, type FROM events WHERE id = %s", (event.id,))
    rows = cursor.fetchall()
    cursor.execute(_INSERT + " DO NOTHING RETURNING id", (_rows(webhook.id, rows),))
    made = cursor.fetchone()
    return session.get_one(WebhookDeliveryRow, made["id"] if made else None)


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Which ones are to be sent again: those named, or all of a time."""

    delivery_ids: Sequence[UUID] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Replayed:
    count: int
    #: there are others: ask again from `next_since`
    next_since: datetime | None


def replay(session: Session, webhook: WebhookRow, asked: Replay) -> Replayed:
    """By ids, or every event of the time that the webhook asks for now, also those that it never
    was sent. What waits to be sent anyway stays as it is. Raises Conflict unless it is active,
    NotFound for a delivery that is not there.
    """
    _check_active(webhook)
    cursor = cursor_of(session)
    if asked.delivery_ids:
        return Replayed(count=_named(cursor, webhook, asked.delivery_ids), next_since=None)
    cursor.execute(
        "SELECT e.id, e.number, e.subject, e.type, e.at FROM events e, webhooks w"
        f" WHERE w.id = %(id)s AND {_MATCHES} AND e.seq IS NOT NULL AND e.at >= %(since)s"
        " AND (%(until)s::timestamptz IS NULL OR e.at < %(until)s)"
        " ORDER BY e.at, e.seq LIMIT %(most)s",
        {
            "id": webhook.id,
            "private": _PRIVATE,
            "since": asked.since,
            "until": asked.until,
            "most": MOST_REPLAYED + 1,
        },
    )
    found = cursor.fetchall()
    cursor.execute(_INSERT + _AGAIN, (_rows(webhook.id, found[:MOST_REPLAYED]),))
    more = found[MOST_REPLAYED]["at"] if len(found) > MOST_REPLAYED else None
    return Replayed(count=len(cursor.fetchall()), next_since=more)


def list_deliveries(
    session: Session,
    webhook: WebhookRow,
    *,
    limit: int,
    before: UUID | None,
    state: str | None = None,
) -> Sequence[WebhookDeliveryRow]:
    """Newest first."""
    query = select(WebhookDeliveryRow).where(WebhookDeliveryRow.webhook_id == webhook.id)
    if state is not None:
        query = query.where(WebhookDeliveryRow.state == state)
    if before is not None:
        query = query.where(WebhookDeliveryRow.id < before)
    return session.scalars(query.order_by(WebhookDeliveryRow.id.desc()).limit(limit)).all()


def find_delivery(
    session: Session, webhook: WebhookRow, delivery_id: UUID
) -> tuple[WebhookDeliveryRow, Event]:
    """With the event that it carries. Raises NotFound."""
    row = session.get(WebhookDeliveryRow, delivery_id)
    if row is None or row.webhook_id != webhook.id:
        raise NotFound(f"the webhook has no delivery {delivery_id}")
    event = find_event(cursor_of(session), row.event_id)
    if event is None:
        raise NotFound(f"the event of delivery {delivery_id} is gone")
    return row, event


def _named(cursor: Cursor, webhook: WebhookRow, ids: Sequence[UUID]) -> int:
    cursor.execute(
        "SELECT id FROM webhook_deliveries WHERE webhook_id = %s AND id = ANY(%s)",
        (webhook.id, list(ids)),
    )
    missing = set(ids) - {row["id"] for row in cursor.fetchall()}
    if missing:
        raise NotFound(f"the webhook has no delivery {min(missing)}")
    cursor.execute(
        "UPDATE webhook_deliveries SET state = 'pending', attempt = 0, replays = replays + 1,"
        " next_at = now(), claim_token = NULL WHERE id = ANY(%s) AND state <> 'pending'",
        (list(ids),),
    )
    return cursor.rowcount


def _check_active(webhook: WebhookRow) -> None:
    if webhook.state != "active":
        raise Conflict(f"the webhook is {webhook.state}", code="webhook_not_active")


def _rows(webhook_id: UUID, events: Sequence[dict[str, Any]]) -> Jsonb:
    return Jsonb(
        [
            {
                "id": str(new_id()),
                "webhook_id": str(webhook_id),
                "event_id": str(event["id"]),
                "number": event["number"],
                "subject": event["subject"],
                "type": event["type"],
            }
            for event in events
        ]
    )
