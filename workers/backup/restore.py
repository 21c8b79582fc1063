"""A backup becomes a cluster again: checked, blobs, database, migrated, and nothing left running.

Blobs come before the rows that name them, as in the cluster itself. A restore that is interrupted
is run again.
"""

import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from alembic.script import ScriptDirectory
from psycopg import Connection, sql
from psycopg.rows import DictRow

from app.core.errors import Conflict, InternalError, InvalidInput
from app.core.settings import Settings
from app.db.database import Database
from app.files.clean_up import forget_lost_parts
from app.integrity.blobs import missing_blobs
from app.integrity.records import broken_rules
from app.jobs.restored import release_all
from app.storage import Storage, build_storage
from workers.backup.manifest import BackupFolder, Manifest
from workers.backup.programs import find_programs
from workers.backup.snapshot import jobs_by_state, server_major
from workers.embedded.home import SOURCE
from workers.processes import MIGRATE

#: what the blob store keeps (app/storage/keys.py): nothing else is ever removed from it
TOPS = (
    *("uploads/", "parts/", "datasets/", "features/", "splits/", "models/", "predictions/"),
    *("comparisons/", "evaluations/", "exports/", "prepared/", "work/", "audit/"),
)
#: tables that a cluster fills before anybody has used it
_FILLED_AT_ONCE = frozenset(
    {"projects", "api_keys", "event_cursors", "alembic_version", "version_info"}
)
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Restored:
    manifest: Manifest
    #: how many jobs are in which state now
    jobs: dict[str, int]
    #: how many of what was put back (app/jobs/restored.py)
    released: dict[str, int]
    #: what does not hold, a line each
    problems: list[str]


def restore(settings: Settings, path: Path, *, force: bool = False) -> Restored:
    """Into an empty database and blob store, or (`force`) in place of what they hold."""
    folder = BackupFolder(path)
    manifest = folder.manifest()
    _refuse_damaged(folder, manifest)
    _refuse_newer(manifest)
    db = Database(settings.database_url)
    storage = build_storage(settings)
    dump = folder.path / manifest.dump_name
    try:
        with closing(db.connect()) as connection:
            programs = find_programs(max(server_major(connection), manifest.program_major))
            programs.check(dump)
            _refuse_in_use(connection)
            extra = _extra_blobs(storage, manifest)
            if not force:
                _refuse_filled(connection, extra)
            _empty(connection)
        for key in extra:
            storage.delete(key)
        for key in manifest.blobs:
            storage.write_file(key, folder.blobs.local_path(key))
        programs.restore(db, dump)
        with closing(db.connect()) as connection:
            before = jobs_by_state(connection)
        _migrate(db)
        released = release_all(db, begin_again=manifest.begin_again)
        released["parts_to_send"] = forget_lost_parts(db, storage)
        with closing(db.connect()) as connection:
            after = jobs_by_state(connection)
        problems = [*_differences(manifest.jobs, before), *_broken(db, storage)]
    finally:
        db.dispose()
    return Restored(manifest=manifest, jobs=after, released=released, problems=problems)


# ---- before anything is touched


def _refuse_damaged(folder: BackupFolder, manifest: Manifest) -> None:
    damage = list(islice(folder.damage(manifest), _SHOWN))
    if damage:
        raise InvalidInput(
            "the backup is damaged: " + "; ".join(damage),
            remedy="`verify` names every damaged file; use another backup.",
        )


def _refuse_newer(manifest: Manifest) -> None:
    known = {script.revision for script in ScriptDirectory(_root() / "migrations").walk_revisions()}
    if manifest.alembic_revision not in known:
        raise InvalidInput(
            f"the backup has schema {manifest.alembic_revision}, which this release does not know",
            remedy=f"Restore it with release {manifest.product_version} or later.",
        )


def _refuse_in_use(connection: Connection[DictRow]) -> None:
    """The sweeper would count what ran at the time of the backup as crashes."""
    row = connection.execute(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'retort' AND pid <> pg_backend_pid()"
    ).fetchone()
    if row is not None and row["n"]:
        raise Conflict(
            f"processes of the cluster are connected to the database ({row['n']} connections)",
            remedy="Stop gateway, beat and workers first (`make down`, or `docker compose stop`"
            " with their names).",
        )


def _refuse_filled(connection: Connection[DictRow], extra: list[str]) -> None:
    filled = [
        f"{table['schemaname']}.{table['tablename']}"
        for table in connection.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname IN ('public', 'optuna') ORDER BY 1, 2"
        ).fetchall()
        if table["tablename"] not in _FILLED_AT_ONCE and _has_rows(connection, table)
    ]
    if filled:
        example = "public.jobs" if "public.jobs" in filled else filled[0]
        raise Conflict(
            f"the database is not empty: {len(filled)} tables have rows, such as {example}",
            remedy="Name an empty database, or add --force, which drops the schemas public and"
            " optuna with everything in them.",
        )
    if extra:
        raise Conflict(
            f"the blob store holds {len(extra)} blobs that are not in the backup, such as"
            f" {extra[0]}",
            remedy="Name an empty blob store, or add --force, which removes them.",
        )


def _has_rows(connection: Connection[DictRow], table: DictRow) -> bool:
    name = sql.Identifier(table["schemaname"], table["tablename"])
    query = sql.SQL("SELECT 1 FROM {} LIMIT 1").format(name)
    return connection.execute(query).fetchone() is not None


def _extra_blobs(storage: Storage, manifest: Manifest) -> list[str]:
    return [key for top in TOPS for key in storage.list(top) if key not in manifest.blobs]


# ---- the work


def _empty(connection: Connection[DictRow]) -> None:
    """The dump brings the schema optuna itself."""
    with connection.transaction():
        connection.execute("DROP SCHEMA IF EXISTS optuna CASCADE")
        connection.execute("DROP SCHEMA IF EXISTS public CASCADE")
        connection.execute("CREATE SCHEMA public")
        connection.execute("GRANT USAGE ON SCHEMA public TO PUBLIC")


def _migrate(db: Database) -> None:
    """A backup of an older release is lifted to this one's schema."""
    url = db.url.set(drivername="postgresql").render_as_string(hide_password=False)
    done = subprocess.run(
        [sys.executable, *MIGRATE[1:]],
        cwd=_root(),
        env={**os.environ, "RETORT_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = "\n    ".join(done.stderr.strip().splitlines()[-_SHOWN:])
        raise InternalError(
            f"the migration of the restored database failed:\n    {said}",
            remedy="Mend what it says, then restore again with --force.",
        )


def _root() -> Path:
    """Where alembic.ini and migrations/ lie: the clone, or the image's working folder."""
    return SOURCE if (SOURCE / "alembic.ini").exists() else Path.cwd()


# ---- afterwards


def _differences(wanted: dict[str, int], found: dict[str, int]) -> list[str]:
    return [
        f"{found.get(state, 0)} {state} jobs were restored, the backup has {wanted.get(state, 0)}"
        for state in sorted(wanted.keys() | found.keys())
        if found.get(state, 0) != wanted.get(state, 0)
    ]


def _broken(db: Database, storage: Storage) -> list[str]:
    broken = [*broken_rules(db), *missing_blobs(db, storage)]
    return [f"{violation.rule} {violation.id}: {violation.detail}" for violation in broken]
