"""Files that people sent: the content once, under its hash, and a row for each sending."""

import hashlib
from collections.abc import Callable, Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, InvalidInput, NotFound, RetortError
from app.db.files import FileRow
from app.storage import keys
from app.storage.base import Storage


def empty_file(about: str = "the file") -> InvalidInput:
    return InvalidInput(
        f"{about} is empty", code="empty_file", remedy="Upload a CSV or SDF file with rows."
    )


def _changed(_: str) -> RetortError:
    return Conflict(
        "the file changed while it was read", remedy="Send it again once it is complete."
    )


def store_content(
    storage: Storage,
    sha256: str,
    blocks: Iterable[bytes],
    *,
    mismatch: Callable[[str], RetortError] = _changed,
) -> None:
    """Write `blocks` under `sha256`; nothing, and `mismatch(their hash)` is raised, if they have
    another one.

    What is there already is written again (equal bytes), so that the clean-up takes it for new.
    """
    found = hashlib.sha256()
    with storage.writer(keys.upload(sha256)) as target:
        for block in blocks:
            found.update(block)
            target.write(block)
        if found.hexdigest() != sha256:
            raise mismatch(found.hexdigest())


def add_uploaded(
    session: Session,
    *,
    project_id: UUID,
    created_by: str,
    name: str,
    media_type: str,
    size: int,
    sha256: str,
) -> FileRow:
    """The row of content that is stored, in the caller's transaction. `size` in bytes."""
    row = FileRow(
        project_id=project_id,
        created_by=created_by,
        name=name,
        media_type=media_type,
        size=size,
        sha256=sha256,
        storage_key=keys.upload(sha256),
        role="upload",
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return row


def find_uploaded(
    session: Session, project_id: UUID, sha256: str, *also: ColumnElement[bool]
) -> FileRow | None:
    """The first file of the project with this content. What a job made does not count: it goes
    away with the job.
    """
    return session.scalar(
        select(FileRow)
        .where(
            FileRow.project_id == project_id,
            FileRow.sha256 == sha256,
            FileRow.role == "upload",
            *also,
        )
        .order_by(FileRow.id)
        .limit(1)
    )


def owned_file(
    session: Session, project_id: UUID, file_id: UUID, *, remedy: str | None = None
) -> FileRow:
    """Raises NotFound, also for a file of another project."""
    row = session.get(FileRow, file_id)
    if row is None or row.project_id != project_id:
        raise NotFound(f"there is no file {file_id}", remedy=remedy)
    return row
