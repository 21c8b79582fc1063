"""Models that were imported: no data set of ours, and where they come from.

Additive: the release before trains and predicts as it did, by imported models too; only its
`evaluate` cannot measure those, which have no data set.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.alter_column("models", "dataset_id", existing_type=sa.Uuid(), nullable=True)
    op.add_column(
        "models",
        sa.Column("imported_from", postgresql.JSONB(none_as_null=True), nullable=True),
    )


def downgrade() -> None:
    # what has no data set cannot be a model of the release before
    op.execute("DELETE FROM models WHERE dataset_id IS NULL")
    op.drop_column("models", "imported_from")
    op.alter_column("models", "dataset_id", existing_type=sa.Uuid(), nullable=False)
