"""A file in parts: hashes, and which parts are still missing."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from retort.tables import Uploadable

#: larger files go in parts that survive a break
RESUMABLE_ABOVE = 16 * 1024**2
_BLOCK = 1 << 20

#: called with (bytes done, bytes in all)
Progress = Callable[[int, int], None]


def sha256_of(source: Uploadable) -> str:
    digest = hashlib.sha256()
    with source.open() as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


class Counted:
    """A stream that tells how far it was read."""

    def __init__(self, stream: BinaryIO, source: Uploadable, progress: Progress | None) -> None:
        self._stream, self._total, self._progress = stream, source.size, progress
        #: for `curl -F file=@...`
        self.shown = str(source.path or source.name)

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        if self._progress is not None and block:
            self._progress(self._stream.tell(), self._total)
        return block

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def fileno(self) -> int:
        return self._stream.fileno()


def missing_parts(
    source: Uploadable, upload: Mapping[str, Any]
) -> Iterator[tuple[int, bytes, str]]:
    """(1-based number, bytes, SHA-256) of each part that the server has not, or has otherwise."""
    size = int(upload["part_bytes"])
    there = {part["number"]: part["sha256"] for part in upload["parts"]}
    with source.open() as stream:
        number = 0
        while part := stream.read(size):
            number += 1
            digest = hashlib.sha256(part).hexdigest()
            if there.get(number) != digest:
                yield number, part, digest
