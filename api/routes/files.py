"""Files: upload, list, download."""

from collections.abc import Iterator
from typing import Annotated, BinaryIO
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Header, Response, UploadFile
from fastapi.responses import StreamingResponse
from sqlalchemy import select

from api.byte_range import ByteRange, wanted_range
from api.dependencies import Caller, WithResources
from api.paging import WithPage
from api.responses import json_response
from api.schemas.file import FileAnswer, FilePage, file_json
from api.schemas.problem import PROBLEMS
from app.access.principal import Principal
from app.core.hashing import sha256_of_stream
from app.db.files import FileRow
from app.files.names import safe_name
from app.files.uploaded import add_uploaded, empty_file, owned_file, store_content
from app.resources import Resources

router = APIRouter(prefix="/files", tags=["files"], responses=PROBLEMS)

_BLOCK = 1 << 20


@router.post("", status_code=201, response_model=FileAnswer)
def upload(file: UploadFile, caller: Caller, resources: WithResources) -> Response:
    """Store a file (multipart field `file`). Equal content is stored once."""
    sha256, size = sha256_of_stream(file.file), file.file.tell()
    if size == 0:
        raise empty_file()
    file.file.seek(0)
    store_content(resources.storage, sha256, iter(lambda: file.file.read(_BLOCK), b""))
    with resources.database.session() as session:
        row = add_uploaded(
            session,
            project_id=caller.project_id,
            created_by=caller.name,
            name=safe_name(file.filename),
            media_type=file.content_type or "application/octet-stream",
            size=size,
            sha256=sha256,
        )
        body = file_json(row)
    headers = {"Location": f"/api/v1/files/{row.id}"}
    return json_response(body, status=201, headers=headers)


@router.get("", response_model=FilePage)
def list_files(
    caller: Caller,
    resources: WithResources,
    page: WithPage,
) -> Response:
    """Newest first."""
    query = select(FileRow).where(FileRow.project_id == caller.project_id)
    if page.before_id is not None:
        query = query.where(FileRow.id < page.before_id)
    with resources.database.session() as session:
        rows = session.scalars(query.order_by(FileRow.id.desc()).limit(page.rows)).all()
    return page.answer(rows, file_json)


@router.get("/{file_id}", response_model=FileAnswer)
def get_file(file_id: UUID, caller: Caller, resources: WithResources) -> Response:
    return json_response(file_json(_file(resources, caller, file_id)))


@router.get("/{file_id}/content", response_class=StreamingResponse)
def content(
    file_id: UUID,
    caller: Caller,
    resources: WithResources,
    range_header: Annotated[str | None, Header(alias="Range", max_length=200)] = None,
    if_range: Annotated[str | None, Header(alias="If-Range", max_length=200)] = None,
) -> StreamingResponse:
    """The bytes, streamed; a `Range` gives a part of them, so that a download can go on."""
    row = _file(resources, caller, file_id)
    etag = f'"{row.sha256}"'
    # If-Range: only a part of the very same content is of use
    part = None if if_range not in (None, etag) else wanted_range(range_header, row.size)
    headers = _content_headers(row, etag, part)
    stream = resources.storage.open(row.storage_key)
    if part is not None:
        stream.seek(part.start)
    return StreamingResponse(
        blocks(stream, part.length if part else None),
        status_code=206 if part else 200,
        media_type=row.media_type,
        headers=headers,
    )


@router.head("/{file_id}/content", include_in_schema=False)
def content_head(file_id: UUID, caller: Caller, resources: WithResources) -> Response:
    """Size and hash, before a download begins or goes on."""
    row = _file(resources, caller, file_id)
    headers = _content_headers(row, f'"{row.sha256}"', None)
    return Response(media_type=row.media_type, headers=headers)


def _content_headers(row: FileRow, etag: str, part: ByteRange | None) -> dict[str, str]:
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.name)}",
        "Content-Length": str(part.length if part else row.size),
        "ETag": etag,
    }
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{row.size}"
    return headers


def blocks(stream: BinaryIO, length: int | None = None) -> Iterator[bytes]:
    """What is left in `stream`, at most `length` bytes."""
    with stream:
        while block := stream.read(_BLOCK if length is None else min(_BLOCK, length)):
            length = None if length is None else length - len(block)
            yield block


def _file(resources: Resources, caller: Principal, file_id: UUID) -> FileRow:
    with resources.database.session() as session:
        return owned_file(session, caller.project_id, file_id)
