"""Projects (tenancy) and the API keys that open them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.db.base import Base, Json


class ProjectRow(Base):
    __tablename__ = "projects"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    policies: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    #: app/access/quotas.py: queued_jobs, gpu_hours_per_month, stored_bytes
    quota: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class ApiKeyRow(Base):
    """Only a SHA-256 of the 256-bit secret is stored; the prefix finds the row."""

    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("prefix"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("projects.id"), index=True)
    name: Mapped[str]
    prefix: Mapped[str]
    hash: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    #: of a key without a role: an administrator's; set beside the role for the release before
    is_admin: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    #: viewer, scientist, approver, operator, admin; null: made before there were roles
    role: Mapped[str | None]
    #: addresses that it may be used from, as CIDR; none: any
    networks: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    #: as of a project, and requests_per_second, burst: in place of the installation's rate
    quota: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    created_by: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    #: when ApiKeyExpiring was told of it
    expiry_told_at: Mapped[datetime | None]
    #: the key that a rotation made of it
    replaced_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("api_keys.id"), index=True)
