"""A backup folder: blobs, one dump, and the manifest, written last, that makes a backup of them."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from app.core.errors import Conflict, InvalidInput
from app.core.hashing import sha256_of_file
from app.storage.local import LocalStorage

_MANIFEST = "manifest.json"


class Stored(BaseModel):
    """What one file must be."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    size: int


class Manifest(BaseModel):
    """What the folder holds, and the moment that the dump shows."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    #: when the backup was begun
    created_at: datetime
    product_version: str
    alembic_revision: str
    #: major versions of the server and of the pg_dump that read it
    server_major: int
    program_major: int
    dump_name: str
    dump: Stored
    #: how many jobs were in which state
    jobs: dict[str, int]
    #: divided jobs that ended while blobs were copied, so that their work files may be incomplete
    begin_again: tuple[UUID, ...]
    blob_count: int
    blob_bytes: int
    blobs: dict[str, Stored]


class BackupFolder:
    """`manifest.json`, `*.dump`, `blobs/`; the last whole backup stays valid until the next is."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.blobs = LocalStorage(self.path / "blobs")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Makes the folder, for our eyes only; refuses a second writer."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.path / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict(
                    f"another backup is being written to {self.path}",
                    remedy="Wait for its end, or name another folder.",
                ) from error
            yield

    def manifest(self) -> Manifest:
        """Raises InvalidInput for a folder that holds no whole backup."""
        path = self.path / _MANIFEST
        if not path.is_file():
            raise InvalidInput(
                f"{self.path} is not a backup: it has no {_MANIFEST}, which is written last",
                remedy="Name the folder that `make backup` wrote; one that was interrupted is made"
                " whole by running it again.",
            )
        try:
            return Manifest.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise InvalidInput(
                f"{path} cannot be read ({error.error_count()} errors)",
                remedy="Use the release that wrote it, or another backup.",
            ) from error

    def last_manifest(self) -> Manifest | None:
        return self.manifest() if (self.path / _MANIFEST).exists() else None

    def publish(self, manifest: Manifest) -> None:
        """From here on this is the backup; what only the one before needed is removed."""
        text = manifest.model_dump_json(indent=1)
        LocalStorage(self.path).write(_MANIFEST, text.encode())
        for dump in self.path.glob("*.dump"):
            if dump.name != manifest.dump_name:
                dump.unlink()
        for key in self.blobs.list(""):
            if key not in manifest.blobs:
                self.blobs.local_path(key).unlink()
        for unfinished in self.path.rglob(".writing-*"):
            unfinished.unlink()

    def damage(self, manifest: Manifest) -> Iterator[str]:
        """A line for each file that is not as the manifest says."""
        files = {self.path / manifest.dump_name: manifest.dump}
        files |= {self.path / "blobs" / key: blob for key, blob in manifest.blobs.items()}
        for path, wanted in files.items():
            name = path.relative_to(self.path)
            if not path.is_file():
                yield f"{name} is missing"
            elif (size := path.stat().st_size) != wanted.size:
                yield f"{name} has {size} bytes, not {wanted.size}"
            elif sha256_of_file(path) != wanted.sha256:
                yield f"{name} has another content than was backed up"
