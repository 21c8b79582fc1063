"""A backup of a cluster that runs: the dump first, the blobs after it, the manifest last.

Blobs never change and are written before the commit that names them, so that a copy made after the
dump holds whatever the dump names. One kind of blob goes away with time: the work files of a job
that ends. Divided jobs that end before theirs are copied are noted, to begin again after a restore.
"""

import hashlib
import tomllib
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from app.core.clock import utc_now
from app.core.errors import NotFound
from app.core.hashing import sha256_of_file, sha256_of_stream
from app.core.settings import Settings
from app.db.database import Database
from app.storage import Storage, build_storage
from workers.backup.manifest import BackupFolder, Manifest, Stored
from workers.backup.programs import find_programs
from workers.backup.snapshot import divided, snapshot
from workers.embedded.home import SOURCE

_BLOCK = 1 << 20
_WORK = "work/"


@dataclass(frozen=True, kw_only=True)
class Created:
    manifest: Manifest
    #: blobs that were not in the folder yet
    copied: int
    copied_bytes: int
    #: keys that rows name and the blob store does not have
    missing: list[str]


def create(settings: Settings, path: Path) -> Created:
    """Back up to the folder `path`; a backup that it holds already is brought up to date."""
    folder = BackupFolder(path)
    db = Database(settings.database_url)
    with folder.writing():
        return _create(db, build_storage(settings), folder)


def _create(db: Database, storage: Storage, folder: BackupFolder) -> Created:
    begun_at = utc_now()
    dump = folder.path / f"retort-{begun_at:%Y%m%dT%H%M%S%fZ}.dump"
    blobs = _Copy(storage, folder)
    with snapshot(db) as moment:
        programs = find_programs(moment.server_major)
        programs.dump(db, dump, snapshot=moment.id)
    blobs.copy_all(_WORK)
    with closing(db.connect()) as connection:
        still = divided(connection)
    blobs.copy_all("", leave_out=_WORK)
    manifest = Manifest(
        created_at=begun_at,
        product_version=_release(),
        alembic_revision=moment.alembic_revision,
        server_major=moment.server_major,
        program_major=programs.major,
        dump_name=dump.name,
        dump=Stored(sha256=sha256_of_file(dump), size=dump.stat().st_size),
        jobs=moment.jobs,
        begin_again=tuple(
            job for job, since in sorted(moment.divided.items()) if still.get(job) != since
        ),
        blob_count=len(blobs.stored),
        blob_bytes=sum(blob.size for blob in blobs.stored.values()),
        blobs=blobs.stored,
    )
    folder.publish(manifest)
    return Created(
        manifest=manifest,
        copied=blobs.copied,
        copied_bytes=blobs.copied_bytes,
        missing=sorted(moment.named - blobs.stored.keys()),
    )


def _release() -> str:
    """This code's version: the clone says it, or else the installed distribution."""
    project = SOURCE / "pyproject.toml"
    if project.exists():
        return str(tomllib.loads(project.read_text())["project"]["version"])
    return metadata.version("retort-server")


class _Copy:
    """Blobs into the folder; those that lie there already are left as they are."""

    def __init__(self, source: Storage, folder: BackupFolder) -> None:
        self._source = source
        self._target = folder.blobs
        self._before = folder.last_manifest()
        self.stored: dict[str, Stored] = {}
        self.copied = 0
        self.copied_bytes = 0

    def copy_all(self, prefix: str, *, leave_out: str | None = None) -> None:
        for key in self._source.list(prefix):
            if leave_out is not None and key.startswith(leave_out):
                continue
            try:
                self.stored[key] = self._kept(key) or self._copied(key)
            except NotFound:  # removed since it was listed: no row of the dump needs it
                continue

    def _kept(self, key: str) -> Stored | None:
        """What the folder has of this blob, if it is the same."""
        size = self._source.size(key)
        if not self._target.exists(key) or self._target.size(key) != size:
            return None
        before = self._before
        noted = before.blobs.get(key) if before else None
        if (
            (before and noted)
            and noted.size == size
            and self._source.modified(key) < before.created_at.timestamp()
        ):
            return noted  # not the hash of what lies there: `verify` is to find what has rotted
        # written since then (a job that ran again), or left by a backup that was interrupted
        sha256 = _sha256(self._target, key)
        return Stored(sha256=sha256, size=size) if sha256 == _sha256(self._source, key) else None

    def _copied(self, key: str) -> Stored:
        digest = hashlib.sha256()
        size = 0
        with self._source.open(key) as source, self._target.writer(key) as target:
            while block := source.read(_BLOCK):
                target.write(block)
                digest.update(block)
                size += len(block)
        self.copied += 1
        self.copied_bytes += size
        return Stored(sha256=digest.hexdigest(), size=size)


def _sha256(storage: Storage, key: str) -> str:
    with storage.open(key) as stream:
        return sha256_of_stream(stream)
