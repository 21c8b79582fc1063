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
from api.once import Once
from api.paging import WithPage
from api.responses import json_response
from api.rights import Guarded, needs
from api.routes.jobs import IdempotencyKey
from api.schemas.file import FileAnswer, FilePage, file_json
from api.schemas.problem import PROBLEMS
from app.access import audit
from app.access.principal import Principal
from app.access.rights import Right
from app.core.hashing import sha256_of_stream
from app.db.database import cursor_of
from app.db.files import FileRow
from app.files.names import safe_name
from app.files.uploaded import add_uploaded, empty_file, owned_file, store_content
from app.quotas.checking import check_stored_bytes
from app.resources import Resources

router = APIRouter(route_class=Guarded, prefix="/files", tags=["files"], responses=PROBLEMS)

_BLOCK = 1 << 20


@router.post("", status_code=201, response_model=FileAnswer, dependencies=[needs(Right.DATA_WRITE)])
def upload(
    file: UploadFile,
    caller: Caller,
    resources: WithResources,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store a file (multipart field `file`). Equal content is stored once."""
    sha256, size = sha256_of_stream(file.file), file.file.tell()
    if size == 0:
        raise empty_file()
    file.file.seek(0)
    name, media_type = safe_name(file.filename), file.content_type or "application/octet-stream"
    said = {"name": name, "media_type": media_type, "sha256": sha256}
    with resources.database.session() as session:
        once = Once(session, caller, "POST /files", idempotency_key, said)
        if once.made is not None:
            return _stored(session.get_one(FileRow, once.made), once)
        check_stored_bytes(cursor_of(session), caller.project_id, caller.name, size)
    store_content(resources.storage, sha256, iter(lambda: file.file.read(_BLOCK), b""))
    with resources.database.session() as session:
        once = Once(session, caller, "POST /files", idempotency_key, said)
        if once.made is not None:  # meanwhile
            return _stored(session.get_one(FileRow, once.made), once)
        row = add_uploaded(
            session,
            project_id=caller.project_id,
            created_by=caller.name,
            name=name,
            media_type=media_type,
            size=size,
            sha256=sha256,
        )
        once.remember(row.id)
        audit.record(
            session,
            caller,
            "files.create",
            f"files/{row.id}",
            after={"name": row.name, "size": row.size, "sha256": row.sha256},
        )
        return _stored(row, once)


def _stored(row: FileRow, once: Once) -> Response:
    headers = {"Location": f"/api/v1/files/{row.id}"} | once.headers
    return json_response(file_json(row), status=201, headers=headers)


@router.get("", response_model=FilePage, dependencies=[needs(Right.READ)])
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


@router.get("/{file_id}", response_model=FileAnswer, dependencies=[needs(Right.READ)])
def get_file(file_id: UUID, caller: Caller, resources: WithResources) -> Response:
    return json_response(file_json(_file(resources, caller, file_id)))


@router.get(
    "/{file_id}/content", response_class=StreamingResponse, dependencies=[needs(Right.READ)]
)
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


@router.head("/{file_id}/content", include_in_schema=False, dependencies=[needs(Right.READ)])
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
