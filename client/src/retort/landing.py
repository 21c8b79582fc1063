"""Where a download lands: written beside the target, moved there when it is whole."""

import hashlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from retort.errors import HashMismatch


class Landing:
    """A target that a broken download continues; `done` bytes are there already."""

    def __init__(self, target: str | Path | BinaryIO) -> None:
        self._path = Path(target) if isinstance(target, str | Path) else None
        self._given = None if isinstance(target, str | Path) else target
        self._digest = hashlib.sha256()
        self.done = 0

    def __enter__(self) -> Self:
        self._stream: BinaryIO = (
            self._partial.open("wb") if self._path is not None else self._given  # type: ignore[assignment]
        )
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
        self._stream.close()
        if kind is None:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)

    @property
    def _partial(self) -> Path:
        if self._path is None:
            raise ValueError("an open stream has no partial file")
        return self._path.with_name(f"{self._path.name}.part")


def _tell(stream: BinaryIO) -> int:
    return stream.tell() if stream.seekable() else 0
