"""Whether the tables are those that this code was written for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import psycopg.errors

from app.db.database import Database

#: beside the packages in a clone and in the images
_FOLDERS = (
    Path(__file__).resolve().parents[2] / "migrations/versions",
    Path("migrations/versions"),
)
_REVISION = re.compile(r"^revision\b[^=]*=\s*[\"']([^\"']+)", re.MULTILINE)
_BEFORE = re.compile(r"^down_revision\b[^=]*=\s*[\"']([^\"']+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class SchemaState:
    #: newer: made by a newer release, which keeps its tables good for this code (docs/upgrading.md)
    #: unknown: the migrations do not lie where this process runs, so that nothing can be compared
    state: Literal["current", "behind", "newer", "unknown"]
    #: what the database has; empty: it was never migrated
    found: str
    #: what this code needs
    needed: str

    @property
    def serves(self) -> bool:
        """Whether this code can work with it."""
        return self.state != "behind"


def schema_state(database: Database) -> SchemaState:
    """Raises psycopg's errors."""
    found = _found(database)
    before = known_revisions()
    if not before:
        return SchemaState(state="unknown" if found else "behind", found=found, needed="")
    (needed,) = set(before) - set(before.values())
    if found == needed:
        return SchemaState(state="current", found=found, needed=needed)
    newer = bool(found) and found not in before
    return SchemaState(state="newer" if newer else "behind", found=found, needed=needed)


@cache
def known_revisions() -> Mapping[str, str]:
    """{revision: the one before}, read from the files, for Alembic takes long to import."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.py")) if folder else ():
        text = path.read_text()
        if revision := _REVISION.search(text):
            before = _BEFORE.search(text)
            found[revision[1]] = before[1] if before else ""
    return found


def _found(database: Database) -> str:
    try:
        with database.cursor() as cursor:
            cursor.execute("SELECT version_num FROM alembic_version")
            row = cursor.fetchone()
    except psycopg.errors.UndefinedTable:
        return ""
    return str(row["version_num"]) if row else ""
