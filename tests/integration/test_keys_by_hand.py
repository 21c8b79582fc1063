"""What an administrator types, against a gateway that listens: real HTTP, real Postgres."""

import json
import threading
import time

import pytest
import uvicorn

from api.main import create_api
from retort import Forbidden, KeyExpired, Retort, cli
from tests.support.roles import bearer


@pytest.fixture
def url(resources):
    config = uvicorn.Config(create_api(resources), port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def retort(url, resources, monkeypatch, capsys):
    """`retort WORDS` as the administrator: what it printed."""
    key = bearer(resources, "admin")["Authorization"].removeprefix("Bearer ")
    monkeypatch.setenv("RETORT_URL", url)
    monkeypatch.setenv("RETORT_API_KEY", key)

    def run(*words, code=0):
        monkeypatch.setattr("sys.argv", ["retort", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        shown = capsys.readouterr()
        assert (ended.value.code or 0) == code, shown.err
        return shown.out if code == 0 else shown.err

    return run


@pytest.mark.req("goal-93")
def test_keys_from_the_command_line(retort, url):
    key = retort("keys", "new", "plate reader", "--role", "scientist", "--expires", "90d").strip()
    prefix = key.split("_")[1]
    with Retort(url, key) as reader:
        assert reader.keys.whoami()["role"] == "scientist"
        with pytest.raises(Forbidden, match="access:write"):
            reader.keys.create("more", "viewer")
        shown = json.loads(retort("keys", "ls", "--json"))
        mine = next(found for found in shown if found["prefix"] == prefix)
        assert (mine["role"], mine["state"]) == ("scientist", "active")
        assert mine["last_used_at"]
        assert mine["expires_at"]
        assert key not in json.dumps(shown)
        new = retort("keys", "rotate", prefix, "--overlap", "24h").strip()
        with Retort(url, new) as again:
            assert again.keys.whoami()["name"] == reader.keys.whoami()["name"]
        assert "is revoked" in retort("keys", "revoke", prefix)
        with pytest.raises(KeyExpired):
            reader.keys.whoami()
    assert "role            admin" in retort("whoami")
    told = retort("keys", "new", "plate reader", code=2)
    assert "has the name" in told
    assert "90 days" in retort("keys", "new", "x", "--expires", "90 days", code=2)
