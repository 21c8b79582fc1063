"""Uploads that come in parts: until they are complete they are no file."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, desc, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Identified, Json


class UploadRow(Identified, Base):
    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'completed')", name="state"),
        Index(None, "expires_at"),
        Index("ix_uploads_open", "project_id", desc("id"), postgresql_where=text("state = 'open'")),
    )

    name: Mapped[str]
    media_type: Mapped[str]
    #: bytes, as declared
    size: Mapped[int]
    #: as declared; checked when the upload is completed. None: not declared
    sha256: Mapped[str | None]
    #: bytes of every part but the last
    part_bytes: Mapped[int]
    #: {"<number from 1>": {"size", "sha256", "blob"}} of what has arrived
    parts: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    state: Mapped[str] = mapped_column(default="open", server_default=text("'open'"))
    #: the file that it became
    file_id: Mapped[UUID | None] = mapped_column(ForeignKey("files.id"), index=True)
    expires_at: Mapped[datetime] = mapped_column(server_default=text("now() + interval '7 days'"))
