"""Schedules and their runs.

Additive: two new tables, which the release before does not know.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_JSONB = postgresql.JSONB(none_as_null=True)
_EMPTY = sa.text("'{}'::jsonb")


def upgrade() -> None:
    _create_schedules()
    _create_runs()


def _create_schedules() -> None:
    op.create_table(
        "schedules",
        sa.Column("name", sa.Text(), nullable=False),
        _words("description", ""),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("template", _JSONB, nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        _words("missed", "last"),
        sa.Column("max_missed", sa.BigInteger(), server_default=sa.text("10"), nullable=False),
        _words("overlap", "skip"),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        *(_time(name, None) for name in ("next_at", "start_at", "end_at")),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        _time("updated_at", "now()"),
        _time("archived_at", None),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        _time("created_at", "now()"),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("labels", _JSONB, server_default=_EMPTY, nullable=False),
        sa.CheckConstraint("missed IN ('skip', 'last', 'all')", name=op.f("ck_schedules_missed")),
        sa.CheckConstraint(
            "overlap IN ('skip', 'queue', 'allow')", name=op.f("ck_schedules_overlap")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_schedules_project_id_projects")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
    )
    op.create_index(
        "uq_schedules_name",
        "schedules",
        ["project_id", "name"],
        unique=True,
        postgresql_where=sa.text("archived_at IS NULL"),
    )
    op.create_index(
        "ix_schedules_due",
        "schedules",
        ["next_at"],
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )


def _create_runs() -> None:
    op.create_table(
        "schedule_runs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column(
            "job_ids",
            postgresql.ARRAY(sa.Uuid()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        _words("reason", ""),
        sa.Column("error", _JSONB, nullable=True),
        sa.Column("details", _JSONB, server_default=_EMPTY, nullable=False),
        _time("created_at", "clock_timestamp()"),
        _time("finished_at", None),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'held', 'succeeded', 'failed', 'skipped')",
            name=op.f("ck_schedule_runs_state"),
        ),
        sa.CheckConstraint(
            "trigger IN ('cron', 'missed', 'manual')", name=op.f("ck_schedule_runs_trigger")
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["schedules.id"],
            name=op.f("fk_schedule_runs_schedule_id_schedules"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule_runs")),
        # what makes each run one run, however many beats there are
        sa.UniqueConstraint(
            "schedule_id", "run_at", name=op.f("uq_schedule_runs_schedule_id_run_at")
        ),
    )
    op.create_index("ix_schedule_runs_newest", "schedule_runs", ["schedule_id", sa.text("id DESC")])
    op.create_index(
        "ix_schedule_runs_open",
        "schedule_runs",
        ["schedule_id", "state"],
        postgresql_where=sa.text("state IN ('waiting', 'running', 'held')"),
    )


def _words(name: str, default: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=sa.text(f"'{default}'"), nullable=False)


def _time(name: str, default: str | None) -> sa.Column[object]:
    return sa.Column(
        name,
        sa.DateTime(timezone=True),
        server_default=None if default is None else sa.text(default),
        nullable=default is None,
    )


def downgrade() -> None:
    op.drop_table("schedule_runs")
    op.drop_table("schedules")
