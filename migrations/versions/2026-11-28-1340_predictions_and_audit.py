"""Past predictions; the audit log; which keys are administrators'.

Additive: new tables, and a column of `api_keys` that is false for every key made so far. The key
that an installation made for itself becomes an administrator's at its next start.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_JSONB = postgresql.JSONB(none_as_null=True)
_NEWEST = sa.text("id DESC")


def upgrade() -> None:
    op.add_column(
        "api_keys",
        sa.Column("is_admin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    _create_predictions()
    _create_audit_log()


def _create_predictions() -> None:
    op.create_table(
        "predictions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        _moment("created_at", "now()"),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("labels", _JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("model_number", sa.BigInteger(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=True),
        sa.Column("endpoint_revision", sa.BigInteger(), nullable=True),
        sa.Column("mode", sa.Text(), server_default=sa.text("'live'"), nullable=False),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("structure", sa.Text(), nullable=True),
        sa.Column("structure_key", sa.Text(), nullable=True),
        sa.Column("inchikey", sa.Text(), nullable=True),
        sa.Column("input", _JSONB, nullable=False),
        sa.Column("output", _JSONB, nullable=False),
        sa.Column("cached", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("latency_ms", sa.Double(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "mode IN ('live', 'shadow', 'fallback')", name=op.f("ck_predictions_mode")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_predictions_project_id_projects")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_predictions")),
    )
    for name, columns, where in _INDEXES:
        op.create_index(
            f"ix_predictions_{name}",
            "predictions",
            list(columns),
            postgresql_where=None if where is None else sa.text(where),
        )


_INDEXES: tuple[tuple[str, tuple[Any, ...], str | None], ...] = (
    ("newest", ("project_id", _NEWEST), None),
    ("structure", ("project_id", "structure_key", _NEWEST), None),
    ("model", ("project_id", "model_name", _NEWEST), None),
    ("structure_model", ("project_id", "structure_key", "model_name", _NEWEST), None),
    ("version", ("project_id", "model_name", "model_number", _NEWEST), None),
    ("input", ("input_hash", "model_id"), None),
    ("request", ("project_id", "request_id", _NEWEST), None),
    ("endpoint", ("project_id", "endpoint_id", _NEWEST), "endpoint_id IS NOT NULL"),
    ("mode", ("project_id", "mode", _NEWEST), "mode <> 'live'"),
    ("age", ("created_at",), "expires_at IS NULL"),
    ("expiry", ("expires_at",), "expires_at IS NOT NULL"),
)


def _create_audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        _moment("at", "clock_timestamp()"),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("details", _JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_audit_log_project_id_projects")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_newest", "audit_log", ["project_id", _NEWEST])
    op.create_index("ix_audit_log_resource", "audit_log", ["resource", "at"])
    op.create_index("ix_audit_log_principal", "audit_log", ["principal", "at"])
    op.execute(
        "CREATE FUNCTION refuse_change_of_audit_log() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'the audit log is only added to'; END$$"
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_log"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change_of_audit_log()"
    )


def _moment(name: str, default: str) -> sa.Column[Any]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text(default), nullable=False
    )


def downgrade() -> None:
    op.drop_table("audit_log")
    op.execute("DROP FUNCTION refuse_change_of_audit_log()")
    op.drop_table("predictions")
    op.drop_column("api_keys", "is_admin")
