"""Files over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from app.db.files import FileRow


class FileAnswer(BaseModel):
    id: UUID
    name: str
    media_type: str
    size: int
    sha256: str
    role: str
    job_id: UUID | None
    created_at: datetime


def file_json(row: FileRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "media_type": row.media_type,
        "size": row.size,
        "sha256": row.sha256,
        "role": row.role,
        "job_id": row.job_id,
        "created_at": row.created_at,
    }


class FilePage(BaseModel):
    items: list[FileAnswer]
    next_cursor: str | None
