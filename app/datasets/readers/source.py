"""The bytes of an upload: plain, gzip, or a zip archive with one data file.

Nothing unfolds to more than settings.max_decompressed_bytes, nor to more than _MAX_RATIO times
what was sent (a decompression bomb; DEFLATE itself allows 1032 times).
"""

import gzip
import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, Protocol, cast

from app.core.errors import InvalidInput, PayloadTooLarge
from app.core.settings import Settings
from app.datasets.readers.table import damaged
from app.datasets.readers.zipped import is_workbook, only_member, open_archive
from app.storage import Storage

HEAD_BYTES = 256 * 1024
GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_MAX_RATIO = 250
#: less than this is no bomb, whatever the ratio
_RATIO_FROM = 64 * 1024 * 1024
_READ = 1024 * 1024
#: the last bytes of a gzip file state the size of what it unfolds to
_ISIZE_BYTES = 4


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(kw_only=True)
class Source:
    """The unfolded file, open at its beginning; `head` is what was read of it so far."""

    #: of the data file itself: without .gz, or the member of the archive
    name: str
    head: bytes
    #: what follows `head`
    rest: Readable
    notes: list[str] = field(default_factory=list)
    opened: ExitStack
    #: the upload itself when it is not compressed
    plain: Path | None = None

    @property
    def whole(self) -> bool:
        """The head is all there is."""
        return len(self.head) < HEAD_BYTES

    def path(self) -> Path:
        """A local file, for formats that are not read from front to back. `rest` is used up."""
        if self.plain is None:
            stream = self.opened.enter_context(
                tempfile.NamedTemporaryFile(suffix=".unfolded")  # noqa: SIM115 - closed by `opened`
            )
            stream.write(self.head)
            shutil.copyfileobj(cast("BinaryIO", self.rest), stream, _READ)
            stream.flush()
            self.plain = Path(stream.name)
        return self.plain


def open_source(
    storage: Storage, key: str, name: str, settings: Settings, opened: ExitStack
) -> Source:
    """Raises InvalidInput for archives that are damaged, encrypted, nested or ambiguous."""
    path = storage.local_path(key)
    raw = opened.enter_context(path.open("rb"))
    start = raw.read(4)
    raw.seek(0)
    if start.startswith(GZIP):
        return _gzipped(raw, name, settings, opened)
    if start in (ZIP, _EMPTY_ZIP):
        archive = opened.enter_context(open_archive(path))
        if not is_workbook(archive):
            return _zipped(archive, settings, opened)
    return Source(name=name, head=_head(raw), rest=raw, opened=opened, plain=path)


def _gzipped(raw: IO[bytes], name: str, settings: Settings, opened: ExitStack) -> Source:
    stream = _unzipping(raw, settings, opened)
    if _claims_to_be_a_bomb(raw):
        # found out without parsing; a damaged file may only seem to be one
        for _ in range(2 * _RATIO_FROM // _READ):
            stream.read(_READ)
        raw.seek(0)
        stream = _unzipping(raw, settings, opened)
    head = _head(stream)
    if head.startswith(GZIP) or (head.startswith(ZIP) and b"xl/" not in head and not _xl(head)):
        raise _nested()
    stem = name[:-3] if name.lower().endswith(".gz") else name
    return Source(name=stem, head=head, rest=stream, notes=["gzip"], opened=opened)


def _unzipping(raw: IO[bytes], settings: Settings, opened: ExitStack) -> "_Unfolded":
    unzipped = opened.enter_context(gzip.GzipFile(fileobj=raw))
    return _Unfolded(cast("BinaryIO", unzipped), settings.max_decompressed_bytes, raw.tell)


def _claims_to_be_a_bomb(raw: IO[bytes]) -> bool:
    """By the size that a gzip file states at its end (RFC 1952, ISIZE)."""
    size = raw.seek(0, io.SEEK_END)
    raw.seek(max(0, size - _ISIZE_BYTES))
    stated = int.from_bytes(raw.read(_ISIZE_BYTES), "little")
    raw.seek(0)
    return stated > max(_RATIO_FROM, _MAX_RATIO * size)


def _zipped(archive: zipfile.ZipFile, settings: Settings, opened: ExitStack) -> Source:
    member = only_member(archive)
    try:
        inner = opened.enter_context(archive.open(member))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise _damaged(error) from error
    used = max(1, member.compress_size)
    _check_ratio(member.file_size, used)
    stream = _Unfolded(cast("BinaryIO", inner), settings.max_decompressed_bytes, lambda: used)
    head = _head(stream)
    if head.startswith(GZIP) or (head.startswith(ZIP) and not _xl(head)):
        raise _nested()
    notes = ["zip", f"read {member.filename!r} from the zip archive"]
    return Source(name=member.filename, head=head, rest=stream, notes=notes, opened=opened)


def _xl(head: bytes) -> bool:
    """A workbook: its first members are named in the head."""
    return b"[Content_Types].xml" in head or b"xl/" in head


def _nested() -> InvalidInput:
    return InvalidInput(
        "the archive holds another archive",
        code="nested_archive",
        remedy="Upload the data file itself, gzipped or zipped once.",
    )


def _head(stream: Readable) -> bytes:
    parts, left = [], HEAD_BYTES
    while left and (part := stream.read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _damaged(error: Exception) -> InvalidInput:
    return damaged(
        f"the compressed file is damaged: {error}"[:300], "Compress and upload it again."
    )


class _Unfolded:
    """Refuses damage, too many bytes, and too many bytes for what was sent."""

    def __init__(self, stream: BinaryIO, limit: int, used: Callable[[], int]) -> None:
        self._stream = stream
        self._limit = limit
        self._used = used
        self._out = 0

    def read(self, size: int, /) -> bytes:
        try:
            data = self._stream.read(size)
        except (gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zlib.error) as error:
            raise _damaged(error) from error
        self._out += len(data)
        if self._out > self._limit:
            raise PayloadTooLarge("the file unfolds to more bytes than allowed")
        _check_ratio(self._out, self._used())
        return data


def _check_ratio(out: int, used: int) -> None:
    if out > _RATIO_FROM and out > _MAX_RATIO * used:
        raise PayloadTooLarge(
            f"the file unfolds to more than {_MAX_RATIO} times its size",
            code="compression_ratio",
            remedy="Upload it uncompressed, or in parts, if it is real data.",
        )
