"""Uploads in parts over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from api.schemas.file import FileAnswer, file_json
from app.core.requests import RequestModel
from app.db.files import FileRow
from app.db.uploads import UploadRow
from app.files.layout import part_count
from app.files.parts import parts_of

Sha256 = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True), Field(examples=["9f86..."])
]


class UploadRequest(RequestModel):
    name: str = Field(min_length=1, max_length=500, examples=["library.smi.gz"])
    #: bytes
    size: int = Field(ge=0)
    #: of the whole file; with it a file that the project has already need not be sent
    sha256: Sha256 | None = None
    media_type: str = Field(
        default="application/octet-stream",
        pattern=r"^[a-zA-Z0-9][\w.+-]{0,99}/[a-zA-Z0-9][\w.+-]{0,99}$",
    )


class PartAnswer(BaseModel):
    number: int
    size: int
    sha256: str


class UploadAnswer(BaseModel):
    """Cut the file at every `part_bytes`; `parts` are those that have arrived."""

    id: UUID | None
    name: str
    media_type: str
    size: int
    sha256: str | None
    state: str
    part_bytes: int
    part_count: int
    parts: list[PartAnswer]
    #: what it became, once completed
    file: FileAnswer | None
    created_at: datetime
    expires_at: datetime | None
    links: dict[str, str]


class UploadPage(BaseModel):
    items: list[UploadAnswer]
    next_cursor: str | None


def upload_json(row: UploadRow, file: FileRow | None = None) -> dict[str, Any]:
    plain = ("id", "name", "media_type", "size", "sha256", "state", "part_bytes", "created_at")
    link = f"/api/v1/files/uploads/{row.id}"
    return {name: getattr(row, name) for name in (*plain, "expires_at")} | {
        "part_count": part_count(row.size, row.part_bytes),
        "parts": [
            {"number": part.number, "size": part.size, "sha256": part.sha256}
            for part in parts_of(row)
        ],
        "file": None if file is None else file_json(file),
        "links": {"self": link, "complete": f"{link}/complete"},
    }


def known_file_json(file: FileRow) -> dict[str, Any]:
    """The project has this content: an upload that is over before it began."""
    return {
        "id": None,
        **{name: getattr(file, name) for name in ("name", "media_type", "size", "sha256")},
        "state": "completed",
        "part_bytes": file.size,
        "part_count": 0,
        "parts": [],
        "file": file_json(file),
        "created_at": file.created_at,
        "expires_at": None,
        "links": {"file": f"/api/v1/files/{file.id}"},
    }
