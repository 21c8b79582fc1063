"""Whether a version's files are still those that were stored."""

from uuid import UUID

import orjson

from app.core.errors import Conflict, ContentMissing, NotFound
from app.core.hashing import sha256_of_stream
from app.db.models import ModelVersionRow
from app.resources import Resources
from app.storage.base import Storage


def verify_files(resources: Resources, model_id: UUID) -> int:
    """Reads every file of the version once; how many there are.

    Raises Conflict naming the first file that is missing or has another SHA-256 than the manifest
    says, or the manifest itself when it has another than the database says.
    """
    with resources.database.session() as session:
        row = session.get(ModelVersionRow, model_id)
    if row is None:
        raise NotFound(f"there is no model {model_id}")
    storage, ref = resources.storage, f"{row.name}:{row.number}"
    _same(storage, row.manifest_key, row.sha256, ref, "manifest.json")
    folder = row.manifest_key.rpartition("/")[0]
    files: dict[str, str] = orjson.loads(storage.read(row.manifest_key))["files"]
    for name, expected in files.items():
        _same(storage, f"{folder}/{name}", expected, ref, name)
    return len(files) + 1


def _same(storage: Storage, key: str, expected: str, ref: str, name: str) -> None:
    try:
        with storage.open(key) as stream:
            found = sha256_of_stream(stream)
    except ContentMissing as error:
        raise _refused(f"the file {name} of {ref} is missing") from error
    if found != expected:
        raise _refused(f"the file {name} of {ref} is not the one that was stored")


def _refused(detail: str) -> Conflict:
    return Conflict(
        f"{detail}; the alias stays where it is",
        code="model_altered",
        remedy="Restore the file from a backup, or promote another version.",
    )
