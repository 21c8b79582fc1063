"""Rows and blobs must agree: nothing that a row names is missing, nothing is kept for nobody.

A blob becomes visible only through a row. What an attempt wrote and never committed (its worker
died, a zombie was refused) lies where no row points; it is invisible, and removed a day later.
"""

import time
from collections.abc import Iterator
from uuid import UUID

import orjson

from app.core.errors import NotFound
from app.db.database import Database
from app.integrity.records import Violation
from app.storage.base import Storage

#: whatever could still become visible is younger
KEEP_SECONDS = 86_400.0
_TOPS = (
    *("uploads/", "parts/", "datasets/", "models/", "predictions/", "comparisons/", "exports/"),
    "evaluations/",
)


def missing_blobs(db: Database, storage: Storage) -> list[Violation]:
    """Rows that name a blob which is not there; of a model also the files of its manifest."""
    found = []
    for rule, owner, key in _named_keys(db):
        if not storage.exists(key):
            found.append(Violation(rule=rule, id=owner, detail=f"{key} is missing"))
        elif rule == "models":
            folder = key.rpartition("/")[0]
            files = orjson.loads(storage.read(key))["files"]
            found += [
                Violation(rule=rule, id=owner, detail=f"{folder}/{name} is missing")
                for name in files
                if not storage.exists(f"{folder}/{name}")
            ]
    return _still_named(db, found) if found else []


def _still_named(db: Database, found: list[Violation]) -> list[Violation]:
    """Without what was given up while we looked: an upload that was completed has no parts."""
    still = {f"{key} is missing" for rule, _, key in _named_keys(db) if rule == "uploads"}
    return [v for v in found if v.rule != "uploads" or v.detail in still]


def unseen_blobs(db: Database, storage: Storage) -> list[str]:
    """Keys under which no row looks. Features and splits are caches by content: always seen."""
    # blobs first: what is committed after the listing is not judged
    keys = [key for top in _TOPS for key in storage.list(top)]
    seen = {_folder(key) for _, _, key in _named_keys(db)}
    return [key for key in keys if _folder(key) not in seen]


def remove_unseen(db: Database, storage: Storage, *, older_than: float = KEEP_SECONDS) -> int:
    """Remove unseen blobs written more than `older_than` seconds ago; how many."""
    limit = time.time() - older_than
    removed = 0
    for key in unseen_blobs(db, storage):
        try:
            if storage.modified(key) <= limit:
                removed += storage.delete(key)
        except NotFound:  # another clean-up was faster
            continue
    return removed


def _folder(key: str) -> str:
    """What becomes visible as one: a model, an attempt of a job, an upload."""
    parts = key.split("/")
    depths = dict.fromkeys(("datasets", "predictions", "comparisons", "exports"), 3)
    depths |= {"models": 2, "evaluations": 2}
    depth = depths.get(parts[0], len(parts))
    return "/".join(parts[:depth])


def _named_keys(db: Database) -> Iterator[tuple[str, str, str]]:
    """(rule, owner, key) of every blob that a row names."""
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT 'files' AS rule, id, storage_key AS key FROM files"
            " UNION ALL SELECT 'datasets', id, manifest_key FROM datasets"
            " WHERE manifest_key IS NOT NULL"
            " UNION ALL SELECT 'models', id, manifest_key FROM models"
            " UNION ALL SELECT 'splits', id, storage_key FROM splits"
            " UNION ALL SELECT 'evaluations', id, rows_key FROM evaluations"
            " WHERE rows_key IS NOT NULL"
            " UNION ALL SELECT 'uploads', id, 'parts/' || id || '/' || number || '-'"
            " || (part->>'blob') FROM uploads, jsonb_each(parts) AS p(number, part)"
            " WHERE state = 'open'"
        )
        rows = cursor.fetchall()
    for row in rows:
        owner: UUID = row["id"]
        yield row["rule"], str(owner), row["key"]
