"""Uploads in parts: begun, looked at, given up. A file exists only once one is completed."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from app.core.errors import NotFound, PayloadTooLarge, TooManyUploads
from app.core.settings import Settings
from app.db.database import cursor_of
from app.db.files import FileRow
from app.db.uploads import UploadRow
from app.files.layout import part_bytes_for
from app.files.names import safe_name
from app.files.uploaded import empty_file, find_uploaded
from app.quotas.checking import check_stored_bytes
from app.resources import Resources
from app.storage import keys


@dataclass(frozen=True, kw_only=True)
class NewUpload:
    """What a client says of the file that it is going to send."""

    project_id: UUID
    created_by: str
    name: str
    media_type: str
    #: bytes
    size: int
    #: 64 lower-case hex digits; None: not known yet
    sha256: str | None


@dataclass(frozen=True, kw_only=True)
class Begun:
    """Either the `file` is there already, or `upload` takes its parts."""

    file: FileRow | None = None
    upload: UploadRow | None = None
    #: False when the caller had begun this upload before
    fresh: bool = False


def begin_upload(resources: Resources, new: NewUpload) -> Begun:
    """Raises InvalidInput (empty), PayloadTooLarge, TooManyUploads, QuotaExceeded.

    A file of the project with this content ends it at once; an upload that the same caller began
    with the same name, size and hash goes on where it stopped.
    """
    _check_size(new, resources.settings)
    with resources.database.session() as session:
        if new.sha256 is not None:
            file = find_uploaded(session, new.project_id, new.sha256, FileRow.size == new.size)
            if file is not None:
                return Begun(file=file)
        # two that begin at once count each other
        session.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:project, 3))"),
            {"project": str(new.project_id)},
        )
        known = _same_upload(session, new) if new.sha256 is not None else None
        if known is not None:
            return Begun(upload=known)
        _check_room(session, new.project_id, resources.settings)
        check_stored_bytes(cursor_of(session), new.project_id, new.created_by, new.size)
        return Begun(upload=_insert(session, new, resources.settings), fresh=True)


def get_upload(resources: Resources, project_id: UUID, upload_id: UUID) -> UploadRow:
    """Raises NotFound, also for an upload of another project."""
    with resources.database.session() as session:
        row = session.get(UploadRow, upload_id)
    if row is None or row.project_id != project_id:
        raise unknown_upload(upload_id)
    return row


def unknown_upload(upload_id: UUID) -> NotFound:
    return NotFound(
        f"there is no upload {upload_id}",
        remedy="It may have expired: begin again with POST /api/v1/files/uploads.",
    )


def list_open(
    resources: Resources, project_id: UUID, *, limit: int, before_id: UUID | None = None
) -> Sequence[UploadRow]:
    """Open uploads of a project, newest first."""
    query = select(UploadRow).where(UploadRow.project_id == project_id, UploadRow.state == "open")
    if before_id is not None:
        query = query.where(UploadRow.id < before_id)
    with resources.database.session() as session:
        return session.scalars(query.order_by(UploadRow.id.desc()).limit(limit)).all()


def discard_upload(resources: Resources, project_id: UUID, upload_id: UUID) -> None:
    """Forget an upload and its parts; a file that it became stays. Raises NotFound."""
    with resources.database.session() as session:
        row = session.get(UploadRow, upload_id)
        if row is None or row.project_id != project_id:
            raise unknown_upload(upload_id)
        session.delete(row)
    resources.storage.delete(keys.parts(upload_id))


def _check_size(new: NewUpload, settings: Settings) -> None:
    if new.size == 0:
        raise empty_file()
    if new.size > settings.max_upload_bytes:
        raise PayloadTooLarge(f"the file is larger than {settings.max_upload_bytes} bytes")


def _same_upload(session: Session, new: NewUpload) -> UploadRow | None:
    return session.scalar(
        select(UploadRow)
        .where(
            UploadRow.project_id == new.project_id,
            UploadRow.state == "open",
            UploadRow.created_by == new.created_by,
            UploadRow.name == safe_name(new.name),
            UploadRow.size == new.size,
            UploadRow.sha256 == new.sha256,
            UploadRow.expires_at > func.now(),
        )
        .order_by(UploadRow.id.desc())
        .limit(1)
    )


def _check_room(session: Session, project_id: UUID, settings: Settings) -> None:
    query = select(func.count()).where(
        UploadRow.project_id == project_id,
        UploadRow.state == "open",
        UploadRow.expires_at > func.now(),
    )
    count = session.scalar(query) or 0
    if count >= settings.max_open_uploads:
        raise TooManyUploads(
            f"the project has {count} open uploads, as many as it may have",
            headers={"Retry-After": "60"},
        )


def _insert(session: Session, new: NewUpload, settings: Settings) -> UploadRow:
    row = UploadRow(
        project_id=new.project_id,
        created_by=new.created_by,
        name=safe_name(new.name),
        media_type=new.media_type,
        size=new.size,
        sha256=new.sha256,
        part_bytes=part_bytes_for(new.size, settings),
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    return row
