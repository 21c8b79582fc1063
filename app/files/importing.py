"""A file on the gateway's own disk becomes a file of the project: only below the import roots."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core.errors import InvalidInput, NotFound, PayloadTooLarge
from app.core.hashing import sha256_of_stream
from app.db.files import FileRow
from app.files.names import safe_name
from app.files.uploaded import add_uploaded, empty_file, find_uploaded, store_content
from app.resources import Resources

_BLOCK = 1 << 20


def import_file(resources: Resources, project_id: UUID, path: str, *, by: str) -> FileRow:
    """`path` is absolute, or below one of the import roots. The same content under the same name
    is the file that there is already.

    Raises InvalidInput (`path_not_allowed`) for anything outside of the roots, however it is
    written (`..`, links), NotFound, PayloadTooLarge.
    """
    settings = resources.settings
    with _open(_allowed(path, settings.import_roots), settings.max_upload_bytes) as stream:
        sha256, size = sha256_of_stream(stream), stream.tell()
        name = safe_name(path)
        with resources.database.session() as session:
            known = _known(session, project_id, name, sha256)
        if known is not None:
            return known
        store_content(resources.storage, sha256, _blocks(stream))
    with resources.database.session() as session:
        # of two that import the same file at once, the second finds the row of the first
        lock = {"file": f"{project_id}:{sha256}"}
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:file, 5))"), lock)
        known = _known(session, project_id, name, sha256)
        return known or add_uploaded(
            session,
            project_id=project_id,
            created_by=by,
            name=name,
            media_type="application/octet-stream",
            size=size,
            sha256=sha256,
        )


def _allowed(given: str, roots: Sequence[Path]) -> Path:
    """The file itself, links followed. Nothing is said about what lies outside of the roots."""
    path = Path(given)
    if "\0" in given or ".." in path.parts or not roots:
        _refuse(given)
    real_roots = [root.resolve() for root in roots]
    if path.is_absolute():
        candidates = [path] if any(_below(path, r) for r in (*roots, *real_roots)) else []
    else:
        candidates = [root / path for root in real_roots]
    if not candidates:
        _refuse(given)
    for candidate in candidates:
        real = _resolved(candidate)
        if real is None:
            continue
        if not any(_below(real, root) for root in real_roots):
            _refuse(given)
        return real
    raise NotFound(
        f"there is no file {given!r} below the import folders",
        remedy="Put it into one of the folders that the setting RETORT_IMPORT_ROOTS names, and "
        "write its path below that folder; or upload it: POST /api/v1/files.",
    )


def _below(path: Path, root: Path) -> bool:
    return path != root and path.is_relative_to(root)


def _resolved(path: Path) -> Path | None:
    """None when there is no such file (or it cannot be looked at)."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError):
        return None


def _refuse(given: str) -> NoReturn:
    raise InvalidInput(
        f"the path {given[:200]!r} is not below an import folder",
        code="path_not_allowed",
        remedy="Files are read only below the folders that the setting RETORT_IMPORT_ROOTS names; "
        "put the file there, or upload it: POST /api/v1/files.",
    )


def _open(path: Path, limit: int) -> BinaryIO:
    """A plain file only: no link put there meanwhile, no pipe that blocks, no device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotFound(
            f"the file {path.name!r} cannot be read", remedy="Look at its permissions."
        ) from error
    found = os.fstat(descriptor)
    problem: InvalidInput | PayloadTooLarge | None = None
    if not stat.S_ISREG(found.st_mode):
        problem = InvalidInput(f"{path.name!r} is no plain file", code="path_not_allowed")
    elif found.st_size == 0:
        problem = empty_file(f"the file {path.name!r}")
    elif found.st_size > limit:
        problem = PayloadTooLarge(f"the file {path.name!r} is larger than {limit} bytes")
    if problem is not None:
        os.close(descriptor)
        raise problem
    return os.fdopen(descriptor, "rb")


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    stream.seek(0)
    while block := stream.read(_BLOCK):
        yield block


def _known(session: Session, project_id: UUID, name: str, sha256: str) -> FileRow | None:
    return find_uploaded(session, project_id, sha256, FileRow.name == name)
