"""The blob store port. Two adapters (local folder, S3), an in-memory twin and the wrapper that
seals pass one suite.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol


class Storage(Protocol):
    """Keys are relative POSIX paths (`models/<id>/manifest.json`), checked against traversal.

    Guarantees: a write is atomic (a reader sees all of it or nothing) and durable when the call
    returns; a blob is never changed in place; reading a missing key raises ContentMissing; an
    outage (no space, no network) raises Retryable.
    """

    def write(self, key: str, data: bytes) -> None: ...

    def write_file(self, key: str, path: Path) -> None:
        """Store the file at `path` (which may be moved or copied) under `key`."""

    def writer(self, key: str) -> AbstractContextManager[BinaryIO]:
        """A stream that becomes the blob when the block ends well, and nothing when it raises."""

    def read(self, key: str) -> bytes: ...

    def open(self, key: str) -> BinaryIO:
        """A stream of the blob; the caller closes it."""

    def beginning(self, key: str, length: int) -> bytes:
        """The first `length` bytes, or all when there are fewer; cheap, however large the blob."""

    def local_path(self, key: str) -> Path:
        """A local file with the blob's content, memory-mappable; not to be written to."""

    def exists(self, key: str) -> bool: ...

    def size(self, key: str) -> int: ...

    def modified(self, key: str) -> float:
        """When it was written, in seconds since the epoch."""

    def list(self, prefix: str) -> Iterator[str]:
        """All keys that begin with `prefix`, sorted."""

    def delete(self, prefix: str) -> int:
        """Delete every key that begins with `prefix`; how many there were."""
