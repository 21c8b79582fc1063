"""Webhooks as rows: made, changed, put away, given a new secret."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from app.core.errors import (
    Conflict,
    NotFound,
    UnknownName,
)
from app.core.expected import Expected, check_expected
from app.core.ids import new_id
from app.core.names import near, shown
from app.db.database import cursor_of
from app.db.events import WebhookDeliveryRow, WebhookRow
from app.events.publisher import last_published
from app.events.types import TYPES
from app.net.guard import NetPolicy, check_url
from app.webhooks.signing import KeyRing, new_salt

#: of one project
MOST = 100
#: how long the secret before signs too, unless it is said otherwise
OVERLAP_SECONDS = 86_400


@dataclass(frozen=True, kw_only=True)
class NewWebhook:
    project_id: UUID
    url: str
    by: str
    types: Sequence[str] = ()
    filter: dict[str, str] | None = None
    description: str = ""
    labels: dict[str, str] | None = None


def create(session: Session, new: NewWebhook, keys: KeyRing, policy: NetPolicy) -> WebhookRow:
    """It is sent what is published from now on. Raises InvalidInput (`address_refused`),
    UnknownName, Conflict when there are too many, Unavailable without a key.
    """
    check_url(new.url, policy)
    check_types(new.types)
    _count(session, new.project_id)
    row = WebhookRow(
        id=new_id(),
        project_id=new.project_id,
        created_by=new.by,
        labels=new.labels or {},
        url=new.url,
        description=new.description,
        types=list(new.types),
        filter=new.filter or {},
        state="active",
        salt=new_salt(),
        key_id=keys.newest,
        seen_seq=last_published(cursor_of(session)),
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def find(session: Session, project_id: UUID, webhook_id: UUID) -> WebhookRow:
    """Raises NotFound."""
    return _found(session.get(WebhookRow, webhook_id), project_id, webhook_id)


def locked(
    session: Session, project_id: UUID, webhook_id: UUID, *, expected: Expected = "any"
) -> WebhookRow:
    """Raises NotFound, PreconditionRequired, PreconditionFailed."""
    row = session.scalar(select(WebhookRow).where(WebhookRow.id == webhook_id).with_for_update())
    row = _found(row, project_id, webhook_id)
    check_expected(expected, row.version, f"the webhook {row.id}")
    return row


def list_webhooks(
    session: Session, project_id: UUID, *, limit: int, before: UUID | None
) -> Sequence[WebhookRow]:
    """Newest first, without archived ones."""
    query = select(WebhookRow).where(
        WebhookRow.project_id == project_id, WebhookRow.state != "archived"
    )
    if before is not None:
        query = query.where(WebhookRow.id < before)
    return session.scalars(query.order_by(WebhookRow.id.desc()).limit(limit)).all()


def change(session: Session, row: WebhookRow, fields: dict[str, Any], policy: NetPolicy) -> None:
    """`fields`: url, types, filter, description, labels, state (active or paused). What happened
    while it was disabled or paused is sent by a replay only. Raises as `create`.
    """
    if "url" in fields:
        check_url(fields["url"], policy)
    check_types(fields.get("types", ()))
    if fields.get("state") == "active" and row.state != "active":
        row.failures, row.failing_since, row.disabled_reason = 0, None, None
        row.seen_seq = last_published(cursor_of(session))
    for name, value in fields.items():
        setattr(row, name, value)
    _changed(session, row)


def archive(session: Session, row: WebhookRow) -> None:
    row.state = "archived"
    give_up(session, row.id, "the webhook was removed")
    _changed(session, row)


def rotate(session: Session, row: WebhookRow, keys: KeyRing, *, overlap_seconds: int) -> None:
    """Another secret; until the overlap is over every message is signed with both."""
    if overlap_seconds:
        row.previous_salt, row.previous_key_id = row.salt, row.key_id
        row.previous_until = session.scalar(
            select(func.now() + func.make_interval(0, 0, 0, 0, 0, 0, overlap_seconds))
        )
    else:
        row.previous_salt = row.previous_key_id = row.previous_until = None
    row.salt, row.key_id = new_salt(), keys.newest
    _changed(session, row)


def secret_of(row: WebhookRow, keys: KeyRing) -> str:
    """The present one. Raises Unavailable."""
    return keys.secret(row.id, row.key_id, row.salt)


def valid_secrets(row: WebhookRow, keys: KeyRing, now: datetime) -> list[str]:
    """The present one, and the one before while both are valid. Raises Unavailable."""
    found = [secret_of(row, keys)]
    if (
        row.previous_salt
        and row.previous_key_id
        and row.previous_until
        and now < row.previous_until
    ):
        found.append(keys.secret(row.id, row.previous_key_id, row.previous_salt))
    return found


def give_up(session: Session, webhook_id: UUID, why: str) -> None:
    """What still waits to be sent is not sent any more (a replay may)."""
    session.execute(
        update(WebhookDeliveryRow)
        .where(WebhookDeliveryRow.webhook_id == webhook_id, WebhookDeliveryRow.state == "pending")
        .values(state="failed", error=why, claim_token=None)
    )


def host_of(row: WebhookRow) -> str:
    """For logs and audits: the rest of an address may be a secret."""
    return urlsplit(row.url).hostname or ""


def check_types(types: Sequence[str]) -> None:
    """Raises UnknownName."""
    known = [name for name, cls in TYPES.items() if cls.subscribable]
    for name in types:
        if name not in known:
            nearest = near(name, known)
            raise UnknownName(
                f"there is no event type {shown(name)}",
                remedy=f"Did you mean {', '.join(nearest)}?" if nearest else "See GET /schemas.",
            )


def _changed(session: Session, row: WebhookRow) -> None:
    row.version += 1
    row.updated_at = func.clock_timestamp()
    session.flush()
    session.refresh(row)


def _count(session: Session, project_id: UUID) -> None:
    # one at a time, or two that count at once are one too many
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 5))"), {"key": str(project_id)}
    )
    query = select(func.count()).select_from(WebhookRow)
    there = session.scalar(
        query.where(WebhookRow.project_id == project_id, WebhookRow.state != "archived")
    )
    if (there or 0) >= MOST:
        raise Conflict(
            f"the project has {MOST} webhooks, and may have no more", code="too_many_webhooks"
        )


def _found(row: WebhookRow | None, project_id: UUID, webhook_id: UUID) -> WebhookRow:
    if row is None or row.project_id != project_id or row.state == "archived":
        raise NotFound(
            f"there is no webhook {webhook_id}", remedy="GET /api/v1/webhooks lists them."
        )
    return row
