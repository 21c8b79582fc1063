"""Session-wide private servers; every test gets a database and a Redis as if they were new.

Postgres clones a migrated template per test instead of migrating again: in memory, where there is
enough of it, in 40 ms; on a busy disk in up to a second.
"""

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from workers.servers import PostgresServer, RedisServer

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "retort_template"
_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server_home() -> Iterator[Path]:
    home = new_home("retort-tests-")
    yield home
    shutil.rmtree(home, ignore_errors=True)


def new_home(prefix: str, *, in_memory: bool = True) -> Path:
    """A folder that Postgres' own account may pass through (pytest's temporary ones are not)."""
    home = Path(tempfile.mkdtemp(prefix=prefix, dir=_memory() if in_memory else None))
    home.chmod(0o711)
    return home


def _memory() -> Path | None:
    """Where servers that lose nothing of worth are fast; None: where temporary files go."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(_MEMORY).free >= _ROOM and os.access(_MEMORY, os.W_OK):
            return _MEMORY
    return None


@pytest.fixture(scope="session")
def postgres_server(server_home: Path) -> Iterator[PostgresServer]:
    server = PostgresServer(server_home / "postgres", durable=False)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server(server_home: Path) -> Iterator[RedisServer]:
    """The broker as the cluster runs it: appendonly, noeviction."""
    server = RedisServer(server_home / "redis")
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def migrated_template(postgres_server: PostgresServer) -> str:
    """The name of a database with every migration applied, by the command that users run."""
    migrate(postgres_server.ensure_database(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    """A migrated database of the test's own, with the default project and no other row."""
    name = f"test_{next(_numbers)}"
    execute(
        postgres_server, f"CREATE DATABASE {name} TEMPLATE {migrated_template} STRATEGY FILE_COPY"
    )
    yield postgres_server.url_of(name)
    execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database without a table: for tests of the migrations themselves."""
    name = f"empty_{next(_numbers)}"
    yield postgres_server.ensure_database(name)
    execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The session's Redis, emptied."""
    with Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


def migrate(url: str) -> None:
    """`alembic upgrade head` on the database at `url`."""
    subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env=os.environ | {"RETORT_DATABASE_URL": url},
        check=True,
        capture_output=True,
        text=True,
    )


def execute(server: PostgresServer, statement: str) -> None:
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
        connection.execute(statement)
