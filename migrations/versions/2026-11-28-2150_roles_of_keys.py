"""API keys have a role, an allow-list of addresses, and know what they were replaced by.

Additive: the columns are null or have a default. A key without a role, also one that the release
before makes beside this one, goes by `is_admin` as it did there; this release still sets that.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_COLUMNS = ("role", "networks", "created_by", "replaced_by_id")


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("role", sa.Text(), nullable=True))
    op.add_column(
        "api_keys",
        sa.Column(
            "networks",
            postgresql.JSONB(none_as_null=True),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
    )
    op.add_column("api_keys", sa.Column("created_by", sa.Text(), nullable=True))
    op.add_column("api_keys", sa.Column("replaced_by_id", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_api_keys_replaced_by_id_api_keys"),
        "api_keys",
        "api_keys",
        ["replaced_by_id"],
        ["id"],
    )
    op.create_index(op.f("ix_api_keys_replaced_by_id"), "api_keys", ["replaced_by_id"])


def downgrade() -> None:
    for column in reversed(_COLUMNS):
        op.drop_column("api_keys", column)
