"""Endpoints, their revisions, their minutes, and outcomes.

Additive: new tables only, which the code already running does not know.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_JSONB = postgresql.JSONB(none_as_null=True)


def upgrade() -> None:
    _create_endpoints()
    _create_revisions()
    _create_minutes()
    _create_outcomes()


def _create_endpoints() -> None:
    op.create_table(
        "endpoints",
        *_identified(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        _moment("updated_at"),
        sa.CheckConstraint("state IN ('active', 'archived')", name=op.f("ck_endpoints_state")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_endpoints_project_id_projects")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoints")),
        sa.UniqueConstraint("project_id", "name", name=op.f("uq_endpoints_project_id_name")),
    )


def _create_revisions() -> None:
    op.create_table(
        "endpoint_revisions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False),
        _moment("created_at"),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("spec", _JSONB, nullable=False),
        sa.Column("resolved", _JSONB, nullable=False),
        sa.Column("buckets", _JSONB, nullable=False),
        sa.Column("canary", _JSONB, nullable=True),
        sa.Column("restores", sa.BigInteger(), nullable=True),
        sa.Column("figures", _JSONB, nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["endpoints.id"],
            name=op.f("fk_endpoint_revisions_endpoint_id_endpoints"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint_revisions")),
        sa.UniqueConstraint(
            "endpoint_id", "number", name=op.f("uq_endpoint_revisions_endpoint_id_number")
        ),
    )
    op.create_index(
        "uq_endpoint_revisions_active",
        "endpoint_revisions",
        ["endpoint_id"],
        unique=True,
        postgresql_where=sa.text("active"),
    )
    op.create_index(
        "ix_endpoint_revisions_newest", "endpoint_revisions", ["endpoint_id", sa.text("id DESC")]
    )


def _create_minutes() -> None:
    counts = ("requests", "inputs", "errors", "refused", "cached", "out_of_domain", "fallbacks")
    op.create_table(
        "endpoint_minutes",
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in counts),
        sa.Column("latency", sa.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint(
            "endpoint_id",
            "revision",
            "model_id",
            "mode",
            "minute",
            name=op.f("pk_endpoint_minutes"),
        ),
    )
    op.create_index(op.f("ix_endpoint_minutes_minute"), "endpoint_minutes", ["minute"])


def _create_outcomes() -> None:
    op.create_table(
        "endpoint_outcomes",
        *_identified(),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("input_id", sa.Text(), nullable=True),
        sa.Column("structure", sa.Text(), nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(number IS NULL) <> (label IS NULL)", name=op.f("ck_endpoint_outcomes_measured")
        ),
        sa.CheckConstraint(
            "(request_id IS NULL) <> (structure IS NULL)", name=op.f("ck_endpoint_outcomes_of")
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["endpoints.id"],
            name=op.f("fk_endpoint_outcomes_endpoint_id_endpoints"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_endpoint_outcomes_project_id_projects")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint_outcomes")),
    )
    op.create_index(
        "ix_endpoint_outcomes_newest", "endpoint_outcomes", ["endpoint_id", sa.text("id DESC")]
    )
    op.create_index(op.f("ix_endpoint_outcomes_project_id"), "endpoint_outcomes", ["project_id"])


def _moment(name: str) -> sa.Column[Any]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _identified() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        _moment("created_at"),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("labels", _JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
    )


def downgrade() -> None:
    for table in ("endpoint_outcomes", "endpoint_minutes", "endpoint_revisions", "endpoints"):
        op.drop_table(table)
