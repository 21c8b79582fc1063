"""Files of several gigabytes, sent in parts: what was acknowledged need not be sent again."""

from collections.abc import AsyncIterator
from functools import cache
from typing import Annotated
from uuid import UUID

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from api.dependencies import Caller, WithResources
from api.paging import WithPage
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.file import FileAnswer, file_json
from api.schemas.problem import PROBLEMS
from api.schemas.upload import (
    PartAnswer,
    Sha256,
    UploadAnswer,
    UploadPage,
    UploadRequest,
    known_file_json,
    upload_json,
)
from app.access.rights import Right
from app.core.errors import InvalidInput
from app.db.files import FileRow
from app.db.uploads import UploadRow
from app.files.complete import complete_upload
from app.files.parts import check_size, expected_size, note_part, writing_part
from app.files.uploads import (
    NewUpload,
    begin_upload,
    discard_upload,
    get_upload,
    list_open,
)
from app.resources import Resources

router = APIRouter(route_class=Guarded, prefix="/files/uploads", tags=["files"], responses=PROBLEMS)

_BLOCK = 1 << 20


@router.post(
    "",
    status_code=201,
    response_model=UploadAnswer,
    responses={200: {"model": UploadAnswer, "description": "It was begun, or is there, already"}},
    dependencies=[needs(Right.DATA_WRITE)],
)
def begin(request: UploadRequest, caller: Caller, resources: WithResources) -> Response:
    """Begin an upload. 200 when there is nothing to send, or the same upload was begun before."""
    new = NewUpload(
        project_id=caller.project_id,
        created_by=caller.name,
        name=request.name,
        media_type=request.media_type,
        size=request.size,
        sha256=request.sha256,
    )
    begun = begin_upload(resources, new)
    if begun.file is not None:
        headers = {"Location": f"/api/v1/files/{begun.file.id}"}
        return json_response(known_file_json(begun.file), headers=headers)
    if begun.upload is None:
        raise TypeError(begun)
    headers = {"Location": f"/api/v1/files/uploads/{begun.upload.id}"}
    status = 201 if begun.fresh else 200
    return json_response(upload_json(begun.upload), status=status, headers=headers)


@router.get("", response_model=UploadPage, dependencies=[needs(Right.READ)])
def list_uploads(
    caller: Caller,
    resources: WithResources,
    page: WithPage,
) -> Response:
    """Open ones, newest first."""
    rows = list_open(resources, caller.project_id, limit=page.rows, before_id=page.before_id)
    return page.answer(rows, upload_json)


@router.get("/{upload_id}", response_model=UploadAnswer, dependencies=[needs(Right.READ)])
def get_one(upload_id: UUID, caller: Caller, resources: WithResources) -> Response:
    """Which parts have arrived."""
    row = get_upload(resources, caller.project_id, upload_id)
    return json_response(upload_json(row, _file_of(resources, row)))


@router.put(
    "/{upload_id}/parts/{number}", response_model=PartAnswer, dependencies=[needs(Right.DATA_WRITE)]
)
async def put_part(
    upload_id: UUID,
    number: Annotated[int, Path(ge=1, le=1_000_000)],
    request: Request,
    caller: Caller,
    resources: WithResources,
    x_part_sha256: Annotated[Sha256 | None, Header()] = None,
) -> Response:
    """The raw bytes of part `number` (from 1). When it is answered, the part is stored.

    Any order, several at once, and again: equal bytes change nothing, other bytes replace.
    """
    upload = await run_in_threadpool(get_upload, resources, caller.project_id, upload_id)
    expected = expected_size(upload, number)
    if (announced := request.headers.get("Content-Length")) is not None:  # the server read it
        check_size(number, int(announced), expected)
    writing = writing_part(resources.storage, upload, number)
    try:
        async with contextmanager_in_threadpool(writing) as sink:
            async for block in _blocks(request):
                await run_in_threadpool(sink.write, block)
            part = sink.part(x_part_sha256)
    except ClientDisconnect as error:
        raise InvalidInput(
            "the connection ended before the part", code="wrong_part_size"
        ) from error
    await run_in_threadpool(note_part, resources.database, resources.storage, upload, part)
    return json_response({"number": part.number, "size": part.size, "sha256": part.sha256})


@router.post(
    "/{upload_id}/complete",
    status_code=201,
    response_model=FileAnswer,
    responses={200: {"model": FileAnswer, "description": "It was completed before"}},
    dependencies=[needs(Right.DATA_WRITE)],
)
async def complete(upload_id: UUID, caller: Caller, resources: WithResources) -> Response:
    """Make the file, once all parts are there; again, the same file with status 200."""
    done = await to_thread.run_sync(
        complete_upload, resources, caller.project_id, upload_id, limiter=_few_at_once()
    )
    headers = {"Location": f"/api/v1/files/{done.file.id}"}
    return json_response(file_json(done.file), status=201 if done.fresh else 200, headers=headers)


@router.delete("/{upload_id}", status_code=204, dependencies=[needs(Right.DATA_WRITE)])
def discard(upload_id: UUID, caller: Caller, resources: WithResources) -> Response:
    """Give it up; the parts are removed. A file that it became stays."""
    discard_upload(resources, caller.project_id, upload_id)
    return Response(status_code=204)


@cache
def _few_at_once() -> CapacityLimiter:
    """Each reads and writes gigabytes: more at once only wait for the same disk."""
    return CapacityLimiter(2)


def _file_of(resources: Resources, row: UploadRow) -> FileRow | None:
    if row.file_id is None:
        return None
    with resources.database.session() as session:
        return session.get(FileRow, row.file_id)


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    """The body in blocks of a MiB, each worth a hop to a thread."""
    held: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        held.append(chunk)
        size += len(chunk)
        if size >= _BLOCK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
