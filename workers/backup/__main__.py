"""`python -m workers.backup create | verify | restore FOLDER`."""

import argparse
import sys
from pathlib import Path

import psycopg

from app.core.errors import RetortError, Retryable
from workers.backup.create import Created, create
from workers.backup.manifest import BackupFolder
from workers.backup.restore import Restored, restore
from workers.backup.target import cluster_settings
from workers.servers import ServerStartError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except RetortError as error:
        remedy = None if isinstance(error, Retryable) else error.problem()["remedy"]
        return _fail(error.detail, remedy or "Mend it, then run this again.")
    except psycopg.Error as error:
        return _fail(f"Postgres says: {error}".strip(), "See RETORT_DATABASE_URL.")
    except (OSError, ServerStartError) as error:
        return _fail(str(error), "Mend it, then run this again.")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.backup", description=__doc__)
    commands = parser.add_subparsers(required=True)
    making = commands.add_parser("create", help="back up the cluster, which goes on running")
    making.set_defaults(run=_create)
    checking = commands.add_parser("verify", help="is every file of a backup there and unchanged")
    checking.set_defaults(run=_verify)
    restoring = commands.add_parser("restore", help="into an empty database and blob store")
    restoring.set_defaults(run=_restore)
    restoring.add_argument(
        "--force", action="store_true", help="remove first what database and blob store hold"
    )
    for command in (making, checking, restoring):
        command.add_argument("folder", type=Path)
    for command in (making, restoring):
        command.add_argument(
            "--embedded", action="store_true", help="of `make up`'s cluster (RETORT_HOME)"
        )
    return parser


def _create(options: argparse.Namespace) -> int:
    with cluster_settings(embedded=options.embedded, at_rest=False) as settings:
        made = create(settings, options.folder)
    _say(*_told(made, options.folder))
    return 1 if made.missing else 0


def _verify(options: argparse.Namespace) -> int:
    folder = BackupFolder(options.folder)
    manifest = folder.manifest()
    damage = list(folder.damage(manifest))
    _say(*damage)
    if damage:
        return 1
    _say(f"the dump and {manifest.blob_count} blobs are as on {manifest.created_at:%F %T} UTC")
    return 0


def _restore(options: argparse.Namespace) -> int:
    with cluster_settings(embedded=options.embedded, at_rest=True) as settings:
        done = restore(settings, options.folder, force=options.force)
    _say(*_accounted(done))
    return 1 if done.problems else 0


def _told(made: Created, folder: Path) -> list[str]:
    manifest = made.manifest
    new = f"of which {made.copied} new ({_mib(made.copied_bytes)})"
    return [
        f"backed up to {folder}",
        f"  jobs: {_list(manifest.jobs)}",
        f"  blobs: {manifest.blob_count} ({_mib(manifest.blob_bytes)}), {new}",
        f"  dump: {_mib(manifest.dump.size)}",
        *(f"LOST BEFORE THIS BACKUP: {key} is not in the blob store" for key in made.missing),
    ]


def _accounted(done: Restored) -> list[str]:
    manifest, released = done.manifest, done.released
    made = f"{manifest.created_at:%F %T} UTC (release {manifest.product_version})"
    names = {"jobs": "jobs", "chunks": "chunks", "last_steps": "last steps"}
    back = ", ".join(f"{released[key]} {name}" for key, name in names.items())
    lines = [
        f"restored the backup of {made}",
        f"  blobs: {manifest.blob_count} ({_mib(manifest.blob_bytes)})",
        f"  put back: {back}; to begin again: {released['begun_again']} jobs",
        f"  parts of open uploads to be sent again: {released['parts_to_send']}",
        f"  jobs now: {_list(done.jobs)}",
    ]
    if done.problems:
        return [*lines, *(f"PROBLEM: {problem}" for problem in done.problems)]
    total = sum(done.jobs.values())
    return [*lines, f"all {total} jobs and all files are accounted for; start the cluster"]


def _list(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in counts.items()) or "none"


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _fail(what: str, remedy: str) -> int:
    sys.stderr.write(f"{what}\n{remedy}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
