"""The audit log: who did what, when, from where. Rows are added, never changed or removed."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, desc, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.core.ids import new_id
from app.db.base import Base, Json


class AuditRow(Base):
    """A trigger of the migration refuses UPDATE, DELETE and TRUNCATE, but for sealing: the last
    three columns are set once, all together (app/access/chain.py).
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_newest", "project_id", desc("id")),
        Index("ix_audit_log_resource", "resource", "at"),
        Index("ix_audit_log_principal", "principal", "at"),
        Index("ix_audit_log_unsealed", "project_id", "id", postgresql_where=text("number IS NULL")),
        Index(
            "uq_audit_log_number",
            "project_id",
            "number",
            unique=True,
            postgresql_where=text("number IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    #: no foreign key: an entry outlives what it tells of
    project_id: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    #: as in `created_by`, e.g. key:embedded
    principal: Mapped[str]
    #: what was done, e.g. predictions.delete
    action: Mapped[str]
    #: to what, e.g. predictions/<id>
    resource: Mapped[str]
    #: what was asked for, and how many it met
    details: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    #: SHA-256 of the resource's canonical JSON before
    before_hash: Mapped[str | None]
    #: what it was set to, or what the request asked for; without secrets
    after: Mapped[Any | None] = mapped_column(JSONB(none_as_null=True))
    request_id: Mapped[str | None]
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]
    #: place in the project's chain, from 1; None: not sealed yet
    number: Mapped[int | None]
    prev_hash: Mapped[str | None]
    hash: Mapped[str | None]
