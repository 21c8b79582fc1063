"""pg_dump and pg_restore: the machine's or the wheel's, and no password where others see it."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from app.core.errors import InternalError, NotFound
from app.db.database import Database
from workers.servers.postgres import wheel_binaries

_LINES_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class Programs:
    """`pg_dump` and `pg_restore` of one major version of PostgreSQL."""

    folder: Path
    major: int

    def dump(self, db: Database, path: Path, *, snapshot: str) -> None:
        """The whole database as `snapshot` shows it; nobody waits for it."""
        path.touch(mode=0o600)
        words = ("--format=custom", f"--snapshot={snapshot}", f"--file={path}")
        self._run("pg_dump", *words, db=db)

    def restore(self, db: Database, path: Path) -> None:
        """All of it or nothing; owned by who connects, whoever owned it before."""
        words = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
        self._run("pg_restore", *words, str(path), db=db)

    def check(self, path: Path) -> None:
        """Raises InternalError for a dump that this pg_restore cannot read."""
        self._run("pg_restore", "--list", str(path))

    def _run(self, name: str, *words: str, db: Database | None = None) -> None:
        command = [str(self.folder / name), *words]
        environment: Mapping[str, str] = os.environ
        if db is not None:
            where, environment = connection(db)
            command += ["--no-password", f"--dbname={where}"]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode != 0:
            said = "\n    ".join(done.stderr.strip().splitlines()[-_LINES_SHOWN:])
            raise InternalError(
                f"{name} failed:\n    {said}", remedy="Mend what it says, then run this again."
            )


def connection(db: Database) -> tuple[str, dict[str, str]]:
    """Where the database is, and an environment with the password, which no process list shows."""
    url = db.url.set(drivername="postgresql").render_as_string(hide_password=False)
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    secret = {} if password is None else {"PGPASSWORD": str(password)}
    return make_conninfo("", **parts), {**os.environ, **secret}


def find_programs(at_least: int, folders: Iterable[Path] | None = None) -> Programs:
    """Of the lowest major version from `at_least` on; raises NotFound when there are none."""
    found = {major(folder): folder for folder in (_folders() if folders is None else folders)}
    fitting = [version for version in found if version >= at_least]
    if not fitting:
        seen = ", ".join(str(version) for version in sorted(found) if version) or "none"
        raise NotFound(
            f"no pg_dump and pg_restore of PostgreSQL {at_least} or later (found: {seen})",
            remedy=f"Install postgresql-client-{at_least}, or put its programs on the PATH.",
        )
    return Programs(folder=found[min(fitting)], major=min(fitting))


def major(folder: Path) -> int:
    """The major version of the programs in a folder; 0 when one of them is not there."""
    if not all(os.access(folder / name, os.X_OK) for name in ("pg_dump", "pg_restore")):
        return 0
    command = [str(folder / "pg_dump"), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", said)
    return int(found.group(1)) if found else 0


def _folders() -> Iterator[Path]:
    """Later ones win among equals."""
    if wheel := wheel_binaries():
        yield wheel
    yield from Path("/usr/lib/postgresql").glob("*/bin")
    if found := shutil.which("pg_dump"):
        path = Path(found).resolve()
        if path.name == "pg_dump":  # Debian's is a wrapper that chooses a version by itself
            yield path.parent
