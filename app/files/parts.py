"""One part of an upload: written as a blob of its own, then noted in the upload's row.

Each sending has a blob of its own, so that whatever is noted is never overwritten: who comes later
replaces the note and removes the blob that it named. What was acknowledged is in the row.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO
from uuid import UUID

from psycopg.types.json import Jsonb

from app.core.errors import Conflict, FieldError, InvalidInput, PayloadTooLarge
from app.core.ids import new_id
from app.db.database import Database
from app.db.uploads import UploadRow
from app.files.layout import part_count, part_size
from app.files.uploads import unknown_upload
from app.storage import keys
from app.storage.base import Storage


@dataclass(frozen=True, kw_only=True)
class Part:
    """`blob` names the sending whose bytes count."""

    number: int
    size: int
    sha256: str
    blob: str

    def note(self) -> dict[str, Any]:
        return {"size": self.size, "sha256": self.sha256, "blob": self.blob}


def parts_of(upload: UploadRow) -> list[Part]:
    """In order of their numbers."""
    parts = [Part(number=int(number), **note) for number, note in upload.parts.items()]
    return sorted(parts, key=lambda part: part.number)


def missing_parts(upload: UploadRow) -> list[int]:
    return [
        n
        for n in range(1, part_count(upload.size, upload.part_bytes) + 1)
        if str(n) not in upload.parts
    ]


def expected_size(upload: UploadRow, number: int) -> int:
    """Bytes of part `number`. Raises InvalidInput when the file has no such part."""
    count = part_count(upload.size, upload.part_bytes)
    if not 1 <= number <= count:
        detail = f"there is no part {number}: {upload.size} bytes make {count} parts"
        raise InvalidInput(
            detail,
            code="no_such_part",
            remedy=f"Send parts 1 to {count}, each of {upload.part_bytes} bytes but the last.",
        )
    return part_size(upload.size, upload.part_bytes, number)


class PartSink:
    """Takes the bytes of one sending."""

    def __init__(self, target: BinaryIO, *, number: int, expected: int, blob: str) -> None:
        self._target = target
        self._digest = hashlib.sha256()
        self._number = number
        self._expected = expected
        self._blob = blob
        self._size = 0

    def write(self, block: bytes) -> None:
        """Raises PayloadTooLarge as soon as it is more than expected."""
        self._size += len(block)
        if self._size > self._expected:
            raise PayloadTooLarge(
                f"part {self._number} is larger than {self._expected} bytes",
                remedy="Send each part with the part_bytes that the upload names, the last one"
                " with what is left.",
            )
        self._digest.update(block)
        self._target.write(block)

    def part(self, declared: str | None) -> Part:
        """Raises InvalidInput unless it is whole and has the hash that the client named."""
        check_size(self._number, self._size, self._expected)
        sha256 = self._digest.hexdigest()
        if declared is not None and declared.lower() != sha256:
            raise InvalidInput(
                f"part {self._number} arrived with another hash than X-Part-SHA256 says",
                code="hash_mismatch",
                remedy="Send the part again.",
            )
        return Part(number=self._number, size=self._size, sha256=sha256, blob=self._blob)


@contextmanager
def writing_part(storage: Storage, upload: UploadRow, number: int) -> Iterator[PartSink]:
    """A sink whose bytes become a blob when the block ends well, and nothing when it raises."""
    expected = expected_size(upload, number)
    blob = new_id().hex
    with storage.writer(keys.part(upload.id, number, blob)) as target:
        yield PartSink(target, number=number, expected=expected, blob=blob)


def check_size(number: int, size: int, expected: int) -> None:
    """Raises InvalidInput for a part that is cut short, or cut at another place."""
    if size != expected:
        raise InvalidInput(
            f"part {number} has {size} bytes, not {expected}",
            code="wrong_part_size",
            remedy="Send each part with the part_bytes that the upload names, the last one with"
            " what is left.",
        )


def note_part(db: Database, storage: Storage, upload: UploadRow, part: Part) -> None:
    """Acknowledge a part whose blob is written. Equal bytes again change nothing.

    Raises NotFound, and Conflict when the upload was completed with other bytes; then, and when
    it is not needed, the blob is removed.
    """
    try:
        unneeded = _note(db, upload.id, part)
    except BaseException:
        storage.delete(keys.part(upload.id, part.number, part.blob))
        raise
    if unneeded is not None:
        storage.delete(keys.part(upload.id, part.number, unneeded))


def _note(db: Database, upload_id: UUID, part: Part) -> str | None:
    """The blob that nobody needs any more: the one before, or this one."""
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT state, parts->%s AS before FROM uploads WHERE id = %s FOR UPDATE",
            (str(part.number), upload_id),
        )
        row = cursor.fetchone()
        if row is None:
            raise unknown_upload(upload_id)
        before = row["before"]
        if before is not None and before["sha256"] == part.sha256:
            return part.blob
        if row["state"] != "open":
            raise Conflict(
                "the upload was completed with other bytes in this part",
                code="upload_completed",
                remedy="Read the upload: it names its file. Begin another one for other bytes.",
            )
        cursor.execute(
            "UPDATE uploads SET parts = parts || %s, expires_at = now() + interval '7 days'"
            " WHERE id = %s",
            (Jsonb({str(part.number): part.note()}), upload_id),
        )
        return None if before is None else before["blob"]


def forget_part(db: Database, upload_id: UUID, part: Part) -> None:
    """Its blob is gone or damaged: as if it had never arrived."""
    with db.cursor() as cursor:
        cursor.execute(
            "UPDATE uploads SET parts = parts - %(number)s WHERE id = %(id)s AND state = 'open'"
            " AND parts->%(number)s->>'blob' = %(blob)s",
            {"number": str(part.number), "id": upload_id, "blob": part.blob},
        )


def incomplete(numbers: list[int]) -> InvalidInput:
    """Names up to a hundred parts that are still to be sent."""
    listed = ", ".join(str(number) for number in numbers[:10]) + (", ..." if numbers[10:] else "")
    return InvalidInput(
        f"{len(numbers)} parts are missing: {listed}",
        code="upload_incomplete",
        remedy="Send the parts named in errors, then complete the upload again.",
        errors=[
            FieldError(pointer=f"/parts/{n}", code="missing", detail="has not arrived")
            for n in numbers[:100]
        ],
    )
