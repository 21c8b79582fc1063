"""Uploads in parts, logs of attempts, evaluations; what an attempt cost; indexes for lists.

Additive: the engine of 0001 runs on it unchanged (tests/rolling/). Nothing is added to `jobs` but
indexes, built in about a second per million jobs each.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_JSONB = postgresql.JSONB(none_as_null=True)


def upgrade() -> None:
    op.add_column("job_attempts", sa.Column("peak_memory_bytes", sa.BigInteger(), nullable=True))
    op.add_column("job_attempts", sa.Column("cpu_seconds", sa.Double(), nullable=True))
    op.add_column("job_chunks", sa.Column("planned_in", sa.BigInteger(), nullable=True))
    op.create_index("ix_jobs_state", "jobs", ["project_id", "state", sa.text("id DESC")])
    op.create_index("ix_jobs_kind", "jobs", ["project_id", "kind", sa.text("id DESC")])
    op.create_index("ix_jobs_created_by", "jobs", ["project_id", "created_by", sa.text("id DESC")])
    op.create_index("ix_files_newest", "files", ["project_id", sa.text("id DESC")])
    op.create_index("ix_datasets_newest", "datasets", ["project_id", sa.text("id DESC")])
    _create_job_logs()
    _create_uploads()
    _create_evaluations()


def _create_job_logs() -> None:
    op.create_table(
        "job_logs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("chunk", sa.BigInteger(), nullable=True),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("logger", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_job_logs_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_logs")),
    )
    op.create_index(op.f("ix_job_logs_job_id_id"), "job_logs", ["job_id", "id"])
    op.create_index(op.f("ix_job_logs_at"), "job_logs", ["at"])


def _create_uploads() -> None:
    op.create_table(
        "uploads",
        *_identified(),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("part_bytes", sa.BigInteger(), nullable=False),
        sa.Column("parts", _JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=True),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now() + interval '7 days'"),
            nullable=False,
        ),
        sa.CheckConstraint("state IN ('open', 'completed')", name=op.f("ck_uploads_state")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_uploads_project_id_projects")
        ),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name=op.f("fk_uploads_file_id_files")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index(op.f("ix_uploads_expires_at"), "uploads", ["expires_at"])
    op.create_index(op.f("ix_uploads_file_id"), "uploads", ["file_id"])
    op.create_index(
        "ix_uploads_open",
        "uploads",
        ["project_id", sa.text("id DESC")],
        postgresql_where=sa.text("state = 'open'"),
    )


def _create_evaluations() -> None:
    op.create_table(
        "evaluations",
        *_identified(),
        sa.Column("model_id", sa.Uuid(), nullable=False),
        sa.Column("dataset_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("part", sa.Text(), nullable=False),
        sa.Column("metrics", _JSONB, nullable=False),
        sa.Column("details", _JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f("fk_evaluations_project_id_projects")
        ),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["models.id"],
            name=op.f("fk_evaluations_model_id_models"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_evaluations_dataset_id_datasets")
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_evaluations_job_id_jobs"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluations")),
    )
    op.create_index("ix_evaluations_newest", "evaluations", ["model_id", sa.text("id DESC")])
    op.create_index(op.f("ix_evaluations_dataset_id"), "evaluations", ["dataset_id"])
    op.create_index(op.f("ix_evaluations_job_id"), "evaluations", ["job_id"])


def _identified() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("labels", _JSONB, server_default=sa.text("'{}'::jsonb"), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("evaluations")
    op.drop_table("uploads")
    op.drop_table("job_logs")
    op.drop_index("ix_datasets_newest", table_name="datasets")
    op.drop_index("ix_files_newest", table_name="files")
    op.drop_index("ix_jobs_created_by", table_name="jobs")
    op.drop_index("ix_jobs_kind", table_name="jobs")
    op.drop_index("ix_jobs_state", table_name="jobs")
    op.drop_column("job_chunks", "planned_in")
    op.drop_column("job_attempts", "cpu_seconds")
    op.drop_column("job_attempts", "peak_memory_bytes")
