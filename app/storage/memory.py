"""Blobs in memory: the twin for tests and notebooks."""

import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from app.core.errors import ContentMissing
from app.storage.local import check_key


class MemoryStorage:
    """`local_path` writes a copy to a temporary folder that lives as long as the object."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._modified: dict[str, float] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="retort-memory-")

    def write(self, key: str, data: bytes) -> None:
        self._blobs[check_key(key)] = data
        self._modified[key] = time.time()

    def write_file(self, key: str, path: Path) -> None:
        self.write(key, path.read_bytes())

    @contextmanager
    def writer(self, key: str) -> Iterator[BinaryIO]:
        check_key(key)
        buffer = io.BytesIO()
        yield buffer
        self.write(key, buffer.getvalue())

    def read(self, key: str) -> bytes:
        if key not in self._blobs:
            raise ContentMissing.of(key)
        return self._blobs[key]

    def open(self, key: str) -> BinaryIO:
        return io.BytesIO(self.read(key))

    def beginning(self, key: str, length: int) -> bytes:
        return self.read(key)[:length]

    def local_path(self, key: str) -> Path:
        path = Path(self._folder.name) / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.read(key))
        return path

    def exists(self, key: str) -> bool:
        return key in self._blobs

    def size(self, key: str) -> int:
        return len(self.read(key))

    def modified(self, key: str) -> float:
        self.read(key)
        return self._modified[key]

    def list(self, prefix: str) -> Iterator[str]:
        return iter(sorted(key for key in self._blobs if key.startswith(prefix)))

    def delete(self, prefix: str) -> int:
        keys = list(self.list(prefix))
        for key in keys:
            del self._blobs[key]
        return len(keys)
