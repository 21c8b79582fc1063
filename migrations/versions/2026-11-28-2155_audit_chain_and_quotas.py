"""The audit log says from where, before and after, and is chained by hashes; quotas.

Additive: columns that are null; the release before goes on writing entries, which are sealed like
the others. Quotas are empty: nobody has one. The trigger lets an entry be sealed once, and refuses
TRUNCATE too.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_PROJECT = "fk_audit_log_project_id_projects"
_TEXTS = ("before_hash", "ip", "user_agent", "prev_hash", "hash")
_REFUSE = (
    "CREATE OR REPLACE FUNCTION refuse_change_of_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$"
    " BEGIN RAISE EXCEPTION 'the audit log is only added to'; END $$"
)
#: the last three columns are set once, all at a time, and nothing else changes
_REFUSE_BUT_SEALING = (
    "CREATE OR REPLACE FUNCTION refuse_change_of_audit_log() RETURNS trigger LANGUAGE plpgsql AS $$"
    " BEGIN"
    " IF TG_OP = 'UPDATE' THEN"
    "  IF OLD.number IS NULL AND OLD.hash IS NULL AND NEW.number IS NOT NULL"
    "   AND NEW.hash IS NOT NULL AND NEW.prev_hash IS NOT NULL"
    "   AND to_jsonb(NEW) - ARRAY['number', 'prev_hash', 'hash']"
    "     = to_jsonb(OLD) - ARRAY['number', 'prev_hash', 'hash'] THEN RETURN NEW; END IF;"
    " END IF;"
    " RAISE EXCEPTION 'the audit log is only added to'; END $$"
)


def upgrade() -> None:
    for name in _TEXTS:
        op.add_column("audit_log", sa.Column(name, sa.Text(), nullable=True))
    op.add_column(
        "audit_log", sa.Column("after", postgresql.JSONB(none_as_null=True), nullable=True)
    )
    op.add_column("audit_log", sa.Column("number", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_audit_log_unsealed",
        "audit_log",
        ["project_id", "id"],
        postgresql_where=sa.text("number IS NULL"),
    )
    op.create_index(
        "uq_audit_log_number",
        "audit_log",
        ["project_id", "number"],
        unique=True,
        postgresql_where=sa.text("number IS NOT NULL"),
    )
    for table in ("projects", "api_keys"):
        op.add_column(
            table,
            sa.Column(
                "quota",
                postgresql.JSONB(none_as_null=True),
                server_default=sa.text("'{}'::jsonb"),
                nullable=False,
            ),
        )
    # an entry outlives what it tells of; and jobs are submitted by the thousand
    op.drop_constraint(op.f(_PROJECT), "audit_log", type_="foreignkey")
    op.execute(_REFUSE_BUT_SEALING)
    op.execute(
        "CREATE TRIGGER never_emptied BEFORE TRUNCATE ON audit_log"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit_log()"
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER never_emptied ON audit_log")
    op.execute(_REFUSE)
    op.create_foreign_key(op.f(_PROJECT), "audit_log", "projects", ["project_id"], ["id"])
    op.drop_column("api_keys", "quota")
    op.drop_column("projects", "quota")
    op.drop_index("uq_audit_log_number", table_name="audit_log")
    op.drop_index("ix_audit_log_unsealed", table_name="audit_log")
    for name in (*_TEXTS, "after", "number"):
        op.drop_column("audit_log", name)
