"""The event log (outbox), how far its readers have come, and webhooks with their deliveries."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, desc, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.db.base import Base, Identified, Json

_EMPTY = text("'{}'::jsonb")
_NO_ITEMS = text("'[]'::jsonb")
_PUBLISHED = text("seq IS NOT NULL")


class EventRow(Base):
    """What happened, written in the transaction of what it tells of.

    `number` is the order of writing, `seq` the order in which everybody reads: it is given after
    the commit by one publisher at a time, so that nothing ever appears below what was read.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_unpublished", "number", postgresql_where=text("seq IS NULL")),
        Index("ix_events_seq", "seq", unique=True, postgresql_where=_PUBLISHED),
        Index("ix_events_type", "project_id", "type", "seq", postgresql_where=_PUBLISHED),
        Index("ix_events_subject", "project_id", "subject", "seq", postgresql_where=_PUBLISHED),
    )

    #: UUIDv7, the CloudEvents id
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[int] = mapped_column(Identity(always=True))
    #: null: not published yet
    seq: Mapped[int | None]
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"))
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    #: a name of app/events/types, and the version of its schema
    type: Mapped[str]
    type_version: Mapped[int] = mapped_column(server_default=text("1"))
    #: e.g. jobs/<id>
    subject: Mapped[str]
    correlation_id: Mapped[str | None]
    #: of what it tells of; webhooks choose by them
    labels: Mapped[Json] = mapped_column(server_default=_EMPTY)
    data: Mapped[Json]
    published_at: Mapped[datetime | None]


class EventCursorRow(Base):
    """How far a reader of the log has come: `redis`, and `publisher`: the last `seq` given."""

    __tablename__ = "event_cursors"

    name: Mapped[str] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(server_default=text("0"))


class WebhookRow(Identified, Base):
    """Its secrets are derived from a key of the environment: none is stored."""

    __tablename__ = "webhooks"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'paused', 'disabled', 'archived')", name="state"),
        Index("ix_webhooks_newest", "project_id", desc("id")),
    )

    url: Mapped[str]
    description: Mapped[str] = mapped_column(server_default=text("''"))
    #: names of types; none: all
    types: Mapped[list[str]] = mapped_column(server_default=_NO_ITEMS)
    #: only events whose labels hold these
    filter: Mapped[Json] = mapped_column(server_default=_EMPTY)
    state: Mapped[str] = mapped_column(server_default=text("'active'"))
    #: what the present secret is derived with, beside the key
    salt: Mapped[str]
    #: which key of the environment that is
    key_id: Mapped[str]
    #: the secret before it, which signs too until then
    previous_salt: Mapped[str | None]
    previous_key_id: Mapped[str | None]
    previous_until: Mapped[datetime | None]
    #: events up to here have been looked at
    seen_seq: Mapped[int] = mapped_column(server_default=text("0"))
    #: attempts in a row without success, since when, and why it was disabled
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    failing_since: Mapped[datetime | None]
    disabled_reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class WebhookDeliveryRow(Base):
    """One event for one webhook: what is still to be sent, and what became of it."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'delivered', 'failed')", name="state"),
        Index("uq_webhook_deliveries_event", "webhook_id", "event_id", unique=True),
        Index("ix_webhook_deliveries_newest", "webhook_id", desc("id")),
        Index("ix_webhook_deliveries_due", "next_at", postgresql_where=text("state = 'pending'")),
        Index(
            "ix_webhook_deliveries_order",
            "webhook_id",
            "subject",
            "number",
            postgresql_where=text("state = 'pending'"),
        ),
        Index(None, "event_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event_id: Mapped[UUID] = mapped_column(ForeignKey("events.id", ondelete="CASCADE"))
    #: the event's, for the order within its subject
    number: Mapped[int]
    subject: Mapped[str]
    type: Mapped[str]
    state: Mapped[str] = mapped_column(server_default=text("'pending'"))
    #: tries since it was made or replayed
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    replays: Mapped[int] = mapped_column(server_default=text("0"))
    next_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    #: of the sender that has it in hand
    claim_token: Mapped[UUID | None]
    #: of the last try
    sent_at: Mapped[datetime | None]
    status: Mapped[int | None]
    response: Mapped[str | None]
    error: Mapped[str | None]
    duration_ms: Mapped[float | None]
    delivered_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
