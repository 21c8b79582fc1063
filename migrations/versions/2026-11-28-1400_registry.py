"""The registry: history and policies of aliases, what is said of names and versions, paired rows.

Additive: new tables, and columns that are null or have a default; the release before writes
aliases without a history, which the next move through this release notices and records.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_JSONB = postgresql.JSONB(none_as_null=True)
_EMPTY = sa.text("'{}'::jsonb")


def upgrade() -> None:
    op.add_column("models", _time("archived_at", nullable=True))
    op.add_column("models", sa.Column("archived_by", sa.Text(), nullable=True))
    op.add_column("models", _words("description"))
    op.add_column("models", sa.Column("semver", sa.Text(), nullable=True))
    op.create_unique_constraint(
        op.f("uq_models_project_id_name_semver"), "models", ["project_id", "name", "semver"]
    )
    op.create_index("ix_models_labels", "models", ["labels"], postgresql_using="gin")
    op.add_column("evaluations", sa.Column("rows_key", sa.Text(), nullable=True))
    op.add_column("evaluations", sa.Column("rows_sha256", sa.Text(), nullable=True))
    _create_names()
    _create_history()
    _create_policies()
    # the word `production` means champion from now on
    op.execute(
        "UPDATE aliases AS a SET alias = 'champion' WHERE alias = 'production' AND NOT EXISTS"
        " (SELECT 1 FROM aliases AS b WHERE b.project_id = a.project_id AND b.name = a.name"
        " AND b.alias = 'champion')"
    )


def _create_names() -> None:
    op.create_table(
        "registry_names",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        _words("description"),
        sa.Column("labels", _JSONB, server_default=_EMPTY, nullable=False),
        _time("changed_at"),
        sa.Column("mirrored", sa.Text(), nullable=True),
        _time("mirrored_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_registry_names_project_id_projects")
        ),
        sa.PrimaryKeyConstraint("project_id", "name", name=op.f("pk_registry_names")),
    )


def _create_history() -> None:
    op.create_table(
        "alias_history",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_model_id", sa.Uuid(), nullable=True),
        sa.Column("from_number", sa.BigInteger(), nullable=True),
        sa.Column("to_model_id", sa.Uuid(), nullable=True),
        sa.Column("to_number", sa.BigInteger(), nullable=True),
        _words("note"),
        sa.Column("evaluation_id", sa.Uuid(), nullable=True),
        sa.Column("gate", _JSONB, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        _time("created_at"),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("labels", _JSONB, server_default=_EMPTY, nullable=False),
        sa.CheckConstraint(
            "kind IN ('promoted', 'rolled_back', 'removed')", name=op.f("ck_alias_history_kind")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_alias_history_project_id_projects")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alias_history")),
    )
    op.create_index(
        "ix_alias_history_newest", "alias_history", ["project_id", "name", sa.text("seq DESC")]
    )
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$"
        " BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    op.execute(
        "CREATE TRIGGER alias_history_append_only BEFORE UPDATE OR DELETE ON alias_history"
        " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def _create_policies() -> None:
    op.create_table(
        "alias_policies",
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=True),
        sa.Column("metric", sa.Text(), nullable=True),
        sa.Column("min_delta", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("confidence", sa.Double(), server_default=sa.text("0.95"), nullable=False),
        sa.Column("required", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("four_eyes", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("max_latency_ms", sa.Double(), nullable=True),
        _time("changed_at"),
        sa.Column("changed_by", sa.Text(), server_default=sa.text("'system'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_alias_policies_project_id_projects")
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_alias_policies_dataset_id_datasets")
        ),
        sa.PrimaryKeyConstraint("project_id", "name", "alias", name=op.f("pk_alias_policies")),
    )
    op.create_index(op.f("ix_alias_policies_dataset_id"), "alias_policies", ["dataset_id"])


def _words(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=sa.text("''"), nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    default = None if nullable else sa.text("now()")
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=nullable)


def downgrade() -> None:
    op.drop_table("alias_policies")
    op.drop_table("alias_history")
    op.execute("DROP FUNCTION refuse_change()")
    op.drop_table("registry_names")
    op.drop_column("evaluations", "rows_sha256")
    op.drop_column("evaluations", "rows_key")
    op.drop_index("ix_models_labels", table_name="models")
    op.drop_constraint(op.f("uq_models_project_id_name_semver"), "models", type_="unique")
    op.drop_column("models", "semver")
    op.drop_column("models", "description")
    op.drop_column("models", "archived_by")
    op.drop_column("models", "archived_at")
