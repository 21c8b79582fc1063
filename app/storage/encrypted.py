"""A store whose blobs are sealed before they leave this process, over any other store.

Names, sizes (to within the tags) and times stay visible; contents do not. What was stored before
the key is read as it is, until `python -m workers.encrypt` has sealed it and
`RETORT_STORAGE_REFUSE_PLAIN` says that nothing plain is left to be believed.
"""

import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from app.storage.base import Storage
from app.storage.bounded_folder import trim
from app.storage.local import check_key
from app.storage.sealing import (
    HEADER,
    DamagedBlob,
    OpeningReader,
    SealingWriter,
    StorageKey,
    key_id,
    plain_size,
)

_BLOCK = 1 << 20


class EncryptedStorage:
    """Passes the suite of every store. `local_path` opens a blob into a folder that only this
    account may enter, bounded, because what is mapped into memory must lie somewhere plain: put
    that folder on a tmpfs.
    """

    def __init__(
        self,
        inner: Storage,
        key: StorageKey | None,
        old_keys: Sequence[StorageKey] = (),
        *,
        plain_folder: Path | None = None,
        refuse_plain: bool = False,
    ) -> None:
        """Without `key` blobs are written plain, and those of `old_keys` can still be read."""
        self._inner = inner
        self._key = key
        self._keys = {one.id: one for one in (*old_keys, *([key] if key else ()))}
        self._plain = plain_folder or Path(tempfile.gettempdir()) / f"retort-plain-{os.getuid()}"
        self._refuse_plain = refuse_plain

    def write(self, key: str, data: bytes) -> None:
        with self.writer(key) as stream:
            stream.write(data)

    def write_file(self, key: str, path: Path) -> None:
        with path.open("rb") as source, self.writer(key) as target:
            shutil.copyfileobj(source, target, _BLOCK)

    @contextmanager
    def writer(self, key: str) -> Iterator[BinaryIO]:
        with self._inner.writer(check_key(key)) as target:
            if self._key is None:
                yield target
                return
            sealing = SealingWriter(target, self._key, key)
            yield cast("BinaryIO", sealing)
            sealing.finish()
        (self._plain / key).unlink(missing_ok=True)

    def read(self, key: str) -> bytes:
        with self.open(key) as stream:
            return stream.read()

    def open(self, key: str) -> BinaryIO:
        if self._sealed_with(key) is None:
            return self._inner.open(key)
        reader = OpeningReader(self._inner.open(key), self._keys, key)
        return cast("BinaryIO", io.BufferedReader(reader, _BLOCK))

    def local_path(self, key: str) -> Path:
        if self._sealed_with(key) is None:
            return self._inner.local_path(key)
        path = self._plain / check_key(key)
        if not path.is_file():
            self._open_into(path, key)
            trim(self._plain, path)
        return path

    def exists(self, key: str) -> bool:
        return self._inner.exists(key)

    def size(self, key: str) -> int:
        sealed = self._sealed_with(key) is not None
        size = self._inner.size(key)
        return plain_size(size) if sealed else size

    def modified(self, key: str) -> float:
        return self._inner.modified(key)

    def list(self, prefix: str) -> Iterator[str]:
        return self._inner.list(prefix)

    def delete(self, prefix: str) -> int:
        for key in self._inner.list(prefix):
            (self._plain / key).unlink(missing_ok=True)
        return self._inner.delete(prefix)

    def beginning(self, key: str, length: int) -> bytes:
        with self.open(key) as stream:
            return stream.read(length)

    # ---- rotation

    @property
    def seals(self) -> bool:
        """Whether what is written now is sealed."""
        return self._key is not None

    def is_current(self, key: str) -> bool:
        """Whether the blob is as it would be written now: sealed with the newest key, or plain."""
        found = key_id(self._inner.beginning(key, HEADER))
        return found == (self._key.id if self._key else None)

    def seal_again(self, key: str) -> None:
        """Replaces the blob, whatever it was sealed with, by itself as it would be written now."""
        with self._stream_of(key) as source, self.writer(key) as target:
            shutil.copyfileobj(source, target, _BLOCK)

    def _stream_of(self, key: str) -> BinaryIO:
        if key_id(self._inner.beginning(key, HEADER)) is None:
            return self._inner.open(key)
        return self.open(key)

    def _sealed_with(self, key: str) -> bytes | None:
        found = key_id(self._inner.beginning(key, HEADER))
        if found is None and self._refuse_plain:
            raise DamagedBlob(
                f"the blob {key} is not sealed, and RETORT_STORAGE_REFUSE_PLAIN is set",
                remedy="Somebody put it there, or `python -m workers.encrypt` has not been run.",
            )
        return found

    def _open_into(self, path: Path, key: str) -> None:
        self._plain.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as stream:
            temporary = Path(stream.name)
            try:
                with self.open(key) as source:
                    shutil.copyfileobj(source, stream, _BLOCK)
                stream.flush()
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
