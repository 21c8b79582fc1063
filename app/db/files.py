"""Files: uploads and artifacts. A file that a job made carries its `job_id` and `role`."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, desc
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Identified


class FileRow(Identified, Base):
    __tablename__ = "files"
    __table_args__ = (
        Index(None, "project_id", "sha256"),
        Index("ix_files_newest", "project_id", desc("id")),
    )

    name: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    storage_key: Mapped[str]
    #: upload | predictions | rejected | report | plot | bundle
    role: Mapped[str] = mapped_column(default="upload")
    job_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), index=True
    )
