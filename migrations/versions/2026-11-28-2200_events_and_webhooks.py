"""The event log, how far its readers have come, webhooks and their deliveries.

Additive: new tables only. Workers of the release before change jobs without telling the log;
nothing reads it that would miss them but who subscribed to events.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_EMPTY, _NO_ITEMS = "'{}'::jsonb", "'[]'::jsonb"
_PUBLISHED = sa.text("seq IS NOT NULL")
_PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    _create_events()
    _create_webhooks()
    _create_deliveries()


def _create_events() -> None:
    op.create_table(
        "events",
        _uuid("id"),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        _uuid("project_id"),
        _moment("at", "clock_timestamp()"),
        _text("type"),
        _number("type_version", "1"),
        _text("subject"),
        _text("correlation_id", nullable=True),
        _json("labels", _EMPTY),
        _json("data"),
        _moment("published_at"),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_events_project_id_projects")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(
        "ix_events_unpublished", "events", ["number"], postgresql_where=sa.text("seq IS NULL")
    )
    op.create_index("ix_events_seq", "events", ["seq"], unique=True, postgresql_where=_PUBLISHED)
    for name in ("type", "subject"):
        op.create_index(
            f"ix_events_{name}",
            "events",
            ["project_id", name, "seq"],
            postgresql_where=_PUBLISHED,
        )
    op.create_table(
        "event_cursors",
        _text("name"),
        _number("seq", "0"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_event_cursors")),
    )
    op.execute("INSERT INTO event_cursors (name) VALUES ('publisher'), ('redis')")


def _create_webhooks() -> None:
    op.create_table(
        "webhooks",
        _uuid("id"),
        _uuid("project_id"),
        _moment("created_at", "now()"),
        _text("created_by"),
        _json("labels", _EMPTY),
        _text("url"),
        _text("description", "''"),
        _json("types", _NO_ITEMS),
        _json("filter", _EMPTY),
        _text("state", "'active'"),
        _text("salt"),
        _text("key_id"),
        _text("previous_salt", nullable=True),
        _text("previous_key_id", nullable=True),
        _moment("previous_until"),
        _number("seen_seq", "0"),
        _number("failures", "0"),
        _moment("failing_since"),
        _text("disabled_reason", nullable=True),
        _number("version", "1"),
        _moment("updated_at", "now()"),
        sa.CheckConstraint(
            "state IN ('active', 'paused', 'disabled', 'archived')", name=op.f("ck_webhooks_state")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_webhooks_project_id_projects")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhooks")),
    )
    op.create_index("ix_webhooks_newest", "webhooks", ["project_id", sa.text("id DESC")])


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        _uuid("id"),
        _uuid("webhook_id"),
        _uuid("event_id"),
        _number("number"),
        _text("subject"),
        _text("type"),
        _text("state", "'pending'"),
        _number("attempt", "0"),
        _number("replays", "0"),
        _moment("next_at", "now()"),
        sa.Column("claim_token", sa.Uuid(), nullable=True),
        _moment("sent_at"),
        sa.Column("status", sa.BigInteger(), nullable=True),
        _text("response", nullable=True),
        _text("error", nullable=True),
        sa.Column("duration_ms", sa.Double(), nullable=True),
        _moment("delivered_at"),
        _moment("created_at", "now()"),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'failed')", name=op.f("ck_webhook_deliveries_state")
        ),
        sa.ForeignKeyConstraint(
            ["webhook_id"],
            ["webhooks.id"],
            name=op.f("fk_webhook_deliveries_webhook_id_webhooks"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["events.id"],
            name=op.f("fk_webhook_deliveries_event_id_events"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
    )
    table = "webhook_deliveries"
    op.create_index(f"uq_{table}_event", table, ["webhook_id", "event_id"], unique=True)
    op.create_index(f"ix_{table}_newest", table, ["webhook_id", sa.text("id DESC")])
    op.create_index(f"ix_{table}_due", table, ["next_at"], postgresql_where=_PENDING)
    op.create_index(
        f"ix_{table}_order", table, ["webhook_id", "subject", "number"], postgresql_where=_PENDING
    )
    op.create_index(f"ix_{table}_event_id", table, ["event_id"])


def _uuid(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Uuid(), nullable=False)


def _text(name: str, default: str | None = None, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), server_default=_default(default), nullable=nullable)


def _number(name: str, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), server_default=_default(default), nullable=False)


def _json(name: str, default: str | None = None) -> sa.Column[Any]:
    kind = postgresql.JSONB(none_as_null=True)
    return sa.Column(name, kind, server_default=_default(default), nullable=False)


def _moment(name: str, default: str | None = None) -> sa.Column[Any]:
    kind = sa.DateTime(timezone=True)
    return sa.Column(name, kind, server_default=_default(default), nullable=default is None)


def _default(text: str | None) -> Any:
    return None if text is None else sa.text(text)


def downgrade() -> None:
    for table in ("webhook_deliveries", "webhooks", "event_cursors", "events"):
        op.drop_table(table)
