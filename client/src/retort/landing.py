"""Where a download lands: written beside the target, moved there when it is whole.

A link keeps pointing where it points. What is no plain file (a device, a pipe) is never replaced:
it is written into.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from retort.errors import HashMismatch


class Landing:
    """A target that a broken download continues; `done` bytes are there already."""

    def __init__(self, target: str | Path | BinaryIO) -> None:
        self._path = Path(target).resolve() if isinstance(target, str | Path) else None
        self._special = self._path is not None and self._path.exists() and not self._path.is_file()
        self._given = None if isinstance(target, str | Path) else target
        self._digest = hashlib.sha256()
        self.done = 0

    def __enter__(self) -> Self:
        self._stream: BinaryIO = self._opened()
        self._begin = 0 if self._path is not None else _tell(self._stream)
        return self

    def write(self, block: bytes) -> None:
        self._stream.write(block)
        self._digest.update(block)
        self.done += len(block)

    def restart(self) -> None:
        """The server sends everything again."""
        if self.done:
            self._stream.seek(self._begin)
            self._stream.truncate()
        self._digest, self.done = hashlib.sha256(), 0

    def check(self, sha256: str | None) -> None:
        """Raises HashMismatch."""
        if sha256 is not None and self._digest.hexdigest() != sha256:
            raise HashMismatch(
                {
                    "code": "hash_mismatch",
                    "detail": "the downloaded bytes are not those that the server stored",
                    "remedy": "Download it again; if it stays, tell the operator.",
                }
            )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._path is None:
            return
        if self._special:
            if kind is None:
                self._stream.seek(0)
                with self._path.open("wb") as target:
                    shutil.copyfileobj(self._stream, target)
            self._stream.close()
            return
        self._stream.close()
        partial = _partial(self._path)
        if kind is None:
            partial.replace(self._path)
        else:
            partial.unlink(missing_ok=True)

    def _opened(self) -> BinaryIO:
        if self._given is not None:
            return self._given
        if self._path is None or self._special:
            return tempfile.TemporaryFile()
        return _partial(self._path).open("wb")


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def _tell(stream: BinaryIO) -> int:
    return stream.tell() if stream.seekable() else 0
