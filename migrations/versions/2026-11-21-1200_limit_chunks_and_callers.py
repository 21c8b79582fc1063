"""A time limit and a count of sendings per chunk, an index for what a caller has waiting.

Additive: the engine of 0001 runs on it unchanged (tests/rolling/). Nothing is added to `jobs`,
which that engine reads with `SELECT *`: Postgres refuses such a prepared statement once when the
columns change. The index is built in about a second per million jobs.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_WAITING = sa.text("state IN ('waiting', 'queued', 'retrying')")


def upgrade() -> None:
    op.add_column("job_chunks", sa.Column("time_limit_seconds", sa.Double(), nullable=True))
    op.add_column(
        "job_chunks",
        sa.Column("dispatch_count", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
    )
    op.create_index(
        "ix_jobs_waiting",
        "jobs",
        ["project_id", "created_by"],
        unique=False,
        postgresql_where=_WAITING,
    )


def downgrade() -> None:
    op.drop_index("ix_jobs_waiting", table_name="jobs", postgresql_where=_WAITING)
    op.drop_column("job_chunks", "dispatch_count")
    op.drop_column("job_chunks", "time_limit_seconds")
