"""The feature cache of files: who is predicted again, by any model of the same features, reads,
standardizes and featurizes nothing.

`prepared/<key>/`: parts (app/prediction/featurized.py) and, written last, `manifest.json`, which
names them in the order of the rows. The key is made of the file's content, how it is read, and
everything that the numbers depend on. What no job has used for days is removed, the oldest first
where all together are too large (`clean_up_prepared`).
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import PurePosixPath
from typing import Self

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from app.core.errors import ContentMissing
from app.core.hashing import content_key
from app.core.settings import Settings
from app.datasets.parts import Layout, ReadingOptions
from app.db.files import FileRow
from app.features.fingerprints import fingerprints_key
from app.models.bundle import ModelBundle
from app.storage import Storage, keys

#: to be raised when standardization gives other structures, or parts are packed otherwise
_VERSION = 1
_MANIFEST = "manifest.json"
#: what was used or begun so recently is left alone, however much there is
_GRACE_SECONDS = 6 * 3600.0


class PreparedPart(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    rows: int


class Prepared(BaseModel):
    """A file whose molecules are featurized."""

    model_config = ConfigDict(frozen=True)

    key: str
    layout: Layout
    parts: tuple[PreparedPart, ...]

    @classmethod
    def find(cls, storage: Storage, key: str) -> Self | None:
        """Marked as used now; None when there is none."""
        try:
            data = storage.read(keys.prepared(key, _MANIFEST))
        except ContentMissing:
            return None
        storage.write(keys.prepared(key, _MANIFEST), data)
        return cls.model_validate_json(data)

    @classmethod
    def load(cls, storage: Storage, key: str) -> Self:
        """Raises ContentMissing."""
        return cls.model_validate_json(storage.read(keys.prepared(key, _MANIFEST)))

    def save(self, storage: Storage) -> None:
        storage.write(
            keys.prepared(self.key, _MANIFEST), orjson.dumps(self.model_dump(mode="json"))
        )

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    def tables(
        self, storage: Storage, start: int, stop: int, step: int, columns: list[str] | None
    ) -> Iterator[pa.Table]:
        """Rows [start, stop) of the file, at most `step` at a time, in order."""
        first = 0
        for part in self.parts:
            after = first + part.rows
            if first < stop and start < after:
                path = storage.local_path(keys.prepared(self.key, part.name))
                low, high = max(start - first, 0), min(stop, after) - first
                with pq.ParquetFile(path, memory_map=True) as file:
                    yield from _between(file, low, high, step, columns)
            first = after


def _between(
    file: pq.ParquetFile, start: int, stop: int, step: int, columns: list[str] | None
) -> Iterator[pa.Table]:
    """Rows [start, stop) of one file; row groups outside are not read."""
    first = 0
    held: list[pa.Table] = []
    for group in range(file.num_row_groups):
        after = first + file.metadata.row_group(group).num_rows
        if first < stop and start < after:
            table = file.read_row_group(group, columns=columns, use_threads=False)
            low, high = max(start - first, 0), min(stop, after) - first
            held.append(table.slice(low, high - low))
            if sum(map(len, held)) >= step:
                yield pa.concat_tables(held)
                held = []
        first = after
    if held:
        yield pa.concat_tables(held)


def can_be_prepared(bundle: ModelBundle) -> bool:
    """Not for columns, of tables or beside molecules: a model learns how to read them."""
    return bundle.needs_structures and not bundle.manifest.columns


def prepared_key(
    settings: Settings, file: FileRow, options: ReadingOptions, bundle: ModelBundle
) -> str:
    """Equal where rows, structures and features are."""
    return content_key(
        {
            "version": _VERSION,
            "rdkit": metadata.version("rdkit"),
            "file": file.sha256,
            # the reader looks at the ending
            "endings": PurePosixPath(file.name.lower()).suffixes[-2:],
            "options": asdict(options),
            "max_smiles_length": settings.max_smiles_length,
            "features": bundle.features.feature_set.key,
            "fingerprints": fingerprints_key(),
        }
    )


def keep(storage: Storage, prepared: Prepared, most_bytes: int) -> bool:
    """Make the parts a cache entry, unless they alone are more than all may be."""
    size = sum(storage.size(keys.prepared(prepared.key, part.name)) for part in prepared.parts)
    if size > most_bytes:
        for part in prepared.parts:
            storage.delete(keys.prepared(prepared.key, part.name))
        return False
    prepared.save(storage)
    return True


def clean_up_prepared(storage: Storage, *, most_bytes: int, days: float) -> int:
    """How many blobs were removed: of entries that no job has used for `days`, of jobs that never
    ended, and of the least recently used ones while all together are more than `most_bytes`.
    """
    now = time.time()
    entries = sorted(_entries(storage), key=lambda entry: entry.used, reverse=True)
    total = removed = 0
    for entry in entries:
        idle = now - entry.used
        total += entry.size
        if idle > _GRACE_SECONDS and (idle > days * 86_400 or total > most_bytes):
            total -= entry.size
            removed += _forget(storage, entry.key)
    return removed


@dataclass(frozen=True, kw_only=True)
class _Entry:
    key: str
    size: int
    #: seconds since the epoch
    used: float


def _entries(storage: Storage) -> Iterator[_Entry]:
    blobs: dict[str, list[str]] = defaultdict(list)
    for blob in storage.list(keys.PREPARED):
        blobs[blob.split("/")[1]].append(blob)
    for key, names in blobs.items():
        try:
            yield _Entry(
                key=key,
                size=sum(map(storage.size, names)),
                used=max(map(storage.modified, names)),
            )
        except ContentMissing:  # another clean-up was faster
            continue


def _forget(storage: Storage, key: str) -> int:
    """The manifest first, so that nobody finds half an entry."""
    return storage.delete(keys.prepared(key, _MANIFEST)) + storage.delete(keys.prepared(key, ""))
