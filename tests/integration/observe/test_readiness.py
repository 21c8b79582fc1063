"""/health/ready means it: each thing that the gateway stands on is broken for real."""

import shutil
import socket
import time

import pytest
from redis import Redis

from app.db.database import Database
from app.storage.local import LocalStorage


def ready(api, path="/health/ready"):
    answer = api.get(f"http://retort{path}", headers={"Authorization": ""})
    return answer.status_code, answer.json()


def test_all_are_named_with_their_time(api):
    status, told = ready(api)
    assert (status, told["status"]) == (200, "ok")
    assert told["checks"] == dict.fromkeys(("postgres", "schema", "redis", "storage"), "ok")
    assert set(told["milliseconds"]) == set(told["checks"])
    assert all(0 <= value < 2500 for value in told["milliseconds"].values())


def test_other_names_of_both(api):
    assert ready(api, "/healthz") == (200, {"status": "ok"})
    status, told = ready(api, "/readyz")
    assert (status, told["status"]) == (200, "ok")


def broken(api, name, said):
    for path in ("/health/ready", "/readyz"):
        status, told = ready(api, path)
        assert (status, told["status"]) == (503, "unavailable")
        assert told["checks"][name] == said
        assert [check for check in told["checks"].values() if check != "ok"] == [said]
    assert ready(api, "/health/live")[0] == 200


@pytest.mark.parametrize(("revision", "status"), [("0001", 503), ("9999", 200)])
def test_migrations_that_are_missing_or_newer(api, resources, revision, status):
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = %s", (revision,))
    if status == 200:
        assert ready(api)[0] == 200, "the release before works on the tables of the next"
    else:
        broken(api, "schema", "SchemaBehind")


def test_a_blob_store_that_cannot_be_written_to(api, resources, monkeypatch, tmp_path):
    folder = tmp_path / "full"
    folder.mkdir()
    storage = LocalStorage(folder)
    monkeypatch.setitem(resources.__dict__, "storage", storage)
    assert ready(api)[0] == 200
    shutil.rmtree(folder)
    folder.write_text("not a folder, not even for root")
    api.gateway.state.readiness._written_at = float("-inf")
    broken(api, "storage", "Retryable")


def test_redis_that_is_away(api, resources, monkeypatch):
    away = Redis(port=9, password="hunter2", retry=None)
    monkeypatch.setattr(api.gateway.state.readiness, "redis", away)
    broken(api, "redis", "ConnectionError")
    assert "hunter2" not in str(ready(api))


def test_postgres_that_is_away(api, resources, monkeypatch):
    away = Database("postgresql://retort:hunter2@127.0.0.1:9/retort")
    monkeypatch.setitem(resources.__dict__, "database", away)
    status, told = ready(api)
    assert status == 503
    assert told["checks"]["redis"] == "ok"
    assert "ok" not in (told["checks"]["postgres"], told["checks"]["schema"])
    assert "hunter2" not in str(told)


def test_a_store_that_hangs_does_not_hang_the_answer(api, resources, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        hanging = Redis(port=port, socket_timeout=60, retry=None)
        monkeypatch.setattr(api.gateway.state.readiness, "redis", hanging)
        started = time.monotonic()
        for _ in range(2):
            status, told = ready(api)
            assert (status, told["checks"]["redis"]) == (503, "Timeout")
        assert time.monotonic() - started < 40
