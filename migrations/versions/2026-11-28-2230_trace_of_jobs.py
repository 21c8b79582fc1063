"""The traces that jobs belong to (W3C traceparent), so that workers go on with them.

A table, not a column of `jobs`: that would end what workers of the release before have prepared.
They neither read nor write it; their jobs begin traces of their own.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "job_traces",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("traceparent", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["jobs.id"],
            name=op.f("fk_job_traces_job_id_jobs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_traces")),
    )


def downgrade() -> None:
    op.drop_table("job_traces")
