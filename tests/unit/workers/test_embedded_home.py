"""The data folder: secrets are private, ports and passwords survive, logs are bounded."""

import json
import socket
import stat

import pytest

from workers.embedded import logs
from workers.embedded.home import Home, write_private
from workers.embedded.report import duration


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home").make()


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_reads_what_is_private(home):
    home.secret("flower")
    home.port("gateway")
    write_private(home.client_config, {"api_key": "x"})
    assert mode(home.root) == 0o711
    assert mode(home.logs) == mode(home.folder("blobs")) == 0o700
    for name in ("secrets.json", "ports.json", "client.json"):
        assert mode(home.root / name) == 0o600


def test_an_existing_folder_keeps_its_permissions(tmp_path):
    tmp_path.chmod(0o700)
    Home(tmp_path).make()
    assert mode(tmp_path) == 0o700


def test_secrets_and_free_ports_stay_the_same(home):
    again = Home(home.root)
    assert home.secret("flower") == again.secret("flower")
    assert home.secret("other") != home.secret("flower")
    assert home.port("gateway") == again.port("gateway")


def test_a_port_that_is_taken_is_changed_and_remembered(home):
    first = home.port("gateway")
    with socket.create_server(("127.0.0.1", first)):
        second = home.port("gateway")
    assert second != first
    assert json.loads((home.root / "ports.json").read_text()) == {"gateway": second}


def test_logs_hold_one_run_and_stay_bounded(home):
    log = home.log("cpu")
    log.write_text("first run\n")
    logs.rotate(home.logs)
    assert not log.exists()
    assert logs.previous(log).read_text() == "first run\n"
    with log.open("a") as writer:  # as a process holds it
        writer.write("a" * 100)
        writer.flush()
        logs.bound(home.logs, max_bytes=50)
        writer.write("after")
        writer.flush()
    assert log.read_text() == "after"
    assert logs.previous(log).read_text() == "a" * 100


def test_durations_read_well():
    assert [duration(s) for s in (5, 300, 11_520)] == ["5 s", "5 min", "3 h 12 min"]
