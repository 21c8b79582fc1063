"""An upload becomes a file: its parts in one blob, checked, then the row in one transaction.

Whatever dies on the way, the parts stay until the row is committed: completing again begins anew.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.core.errors import Conflict, InvalidInput, NotFound, UploadBusy
from app.db.files import FileRow
from app.db.uploads import UploadRow
from app.files.parts import Part, forget_part, incomplete, missing_parts, parts_of
from app.files.uploaded import add_uploaded, store_content
from app.files.uploads import unknown_upload
from app.resources import Resources
from app.storage import keys
from app.storage.base import Storage

_BLOCK = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Completed:
    file: FileRow
    #: False when it had been completed before
    fresh: bool


class _PartLost(Exception):
    """The blob of a noted part is gone or altered."""

    def __init__(self, part: Part) -> None:
        super().__init__(part.number)
        self.part = part


def complete_upload(resources: Resources, project_id: UUID, upload_id: UUID) -> Completed:
    """The file; again and again the same one.

    Raises NotFound, InvalidInput (`upload_incomplete`, `hash_mismatch`), UploadBusy while another
    request completes it, Conflict when a part was replaced meanwhile.
    """
    try:
        with resources.database.session() as session:
            _lock(session, upload_id)
            done = _complete(session, resources.storage, project_id, upload_id)
    except _PartLost as lost:
        forget_part(resources.database, upload_id, lost.part)
        raise incomplete([lost.part.number]) from lost
    # after the commit: until then they are all there is
    resources.storage.delete(keys.parts(upload_id))
    return done


def _lock(session: Session, upload_id: UUID) -> None:
    """Not the row's own lock: parts that arrive meanwhile need not wait."""
    mine = session.scalar(
        text("SELECT pg_try_advisory_xact_lock(hashtextextended(:upload, 4))"),
        {"upload": str(upload_id)},
    )
    if not mine:
        raise UploadBusy("another request is completing this upload", headers={"Retry-After": "2"})


def _complete(session: Session, storage: Storage, project_id: UUID, upload_id: UUID) -> Completed:
    upload = session.get(UploadRow, upload_id)
    if upload is None or upload.project_id != project_id:
        raise unknown_upload(upload_id)
    if upload.file_id is not None:
        return Completed(file=session.get_one(FileRow, upload.file_id), fresh=False)
    missing = missing_parts(upload)
    if missing:
        raise incomplete(missing)
    sha256 = _assemble(storage, upload, parts_of(upload))
    return Completed(file=_publish(session, upload, sha256), fresh=True)


def _assemble(storage: Storage, upload: UploadRow, parts: Sequence[Part]) -> str:
    """Write the parts as one blob under the hash of the whole; which hash that is.

    Without a declared hash the parts are read twice: a blob's key is its hash.
    """
    sha256 = upload.sha256
    if sha256 is None:
        digest = hashlib.sha256()
        for block in _blocks(storage, upload.id, parts):
            digest.update(block)
        sha256 = digest.hexdigest()

    def mismatch(found: str) -> InvalidInput:
        return InvalidInput(
            f"the parts together have the hash {found}, not {sha256}",
            code="hash_mismatch",
            remedy="Compare the sha256 of each part (GET the upload) with your file, send"
            " again what differs, then complete the upload.",
        )

    store_content(storage, sha256, _blocks(storage, upload.id, parts), mismatch=mismatch)
    return sha256


def _blocks(storage: Storage, upload_id: UUID, parts: Sequence[Part]) -> Iterator[bytes]:
    """Raises _PartLost where a part is no longer what was acknowledged."""
    for part in parts:
        digest = hashlib.sha256()
        try:
            stream = storage.open(keys.part(upload_id, part.number, part.blob))
        except NotFound as error:
            raise _PartLost(part) from error
        with stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
                yield block
        if digest.hexdigest() != part.sha256:
            raise _PartLost(part)


def _publish(session: Session, upload: UploadRow, sha256: str) -> FileRow:
    """The file's row and the upload's end, in the caller's transaction."""
    now = session.execute(
        select(UploadRow.parts).where(UploadRow.id == upload.id).with_for_update()
    ).scalar_one_or_none()
    if now is None:
        raise unknown_upload(upload.id)
    if now != upload.parts:
        raise Conflict(
            "a part was replaced while the upload was being completed",
            code="upload_changed",
            remedy="Complete it again once all parts are sent.",
        )
    file = add_uploaded(
        session,
        project_id=upload.project_id,
        created_by=upload.created_by,
        name=upload.name,
        media_type=upload.media_type,
        size=upload.size,
        sha256=sha256,
    )
    upload.state = "completed"
    upload.file_id = file.id
    return file
