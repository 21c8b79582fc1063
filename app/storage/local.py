"""Blobs in a folder: the default, and what a network file system serves."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from app.core.errors import ContentMissing, InvalidInput, Retryable


def check_key(key: str) -> str:
    """Refuses absolute keys, `..` and empty parts."""
    path = PurePosixPath(key)
    if path.is_absolute() or not key or any(part in ("", ".", "..") for part in key.split("/")):
        raise InvalidInput(f"{key!r} is not a blob key")
    return key


class LocalStorage:
    """Atomic by writing beside the target and renaming; durable by fsync of file and folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._used = False

    def write(self, key: str, data: bytes) -> None:
        with self.writer(key) as stream:
            stream.write(data)

    def write_file(self, key: str, path: Path) -> None:
        with path.open("rb") as source, self.writer(key) as target:
            shutil.copyfileobj(source, target, 1 << 20)

    @contextmanager
    def writer(self, key: str) -> Iterator[BinaryIO]:
        target = self._path(key)
        temporary: Path | None = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".writing-")
            temporary = Path(name)
            with os.fdopen(descriptor, "wb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
            self._used = True
            _sync_folder(target.parent)
        except OSError as error:
            raise Retryable(f"the blob store cannot write: {error.strerror}") from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)

    def read(self, key: str) -> bytes:
        with self.open(key) as stream:
            return stream.read()

    def open(self, key: str) -> BinaryIO:
        try:
            stream = self._path(key).open("rb")
        except FileNotFoundError as error:
            raise self._missing(key) from error
        except OSError as error:
            raise Retryable(f"the blob store cannot read: {error.strerror}") from error
        self._used = True
        return stream

    def beginning(self, key: str, length: int) -> bytes:
        with self.open(key) as stream:
            return stream.read(length)

    def local_path(self, key: str) -> Path:
        path = self._path(key)
        if not path.is_file():
            raise self._missing(key)
        return path

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def size(self, key: str) -> int:
        return self.local_path(key).stat().st_size

    def modified(self, key: str) -> float:
        return self.local_path(key).stat().st_mtime

    def list(self, prefix: str) -> Iterator[str]:
        folder = self._root / prefix.rpartition("/")[0]
        keys = (
            path.relative_to(self._root).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and not path.name.startswith(".writing-")
        )
        return iter(sorted(key for key in keys if key.startswith(prefix)))

    def delete(self, prefix: str) -> int:
        keys = list(self.list(prefix))
        for key in keys:
            self._path(key).unlink(missing_ok=True)
        return len(keys)

    def _missing(self, key: str) -> ContentMissing | Retryable:
        """When the folder that we used is gone (not mounted), nothing can be said of a blob."""
        if self._root.is_dir() or not self._used:
            return ContentMissing.of(key)
        return Retryable("the blob store's folder is not there")

    def _path(self, key: str) -> Path:
        return self._root / check_key(key)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
