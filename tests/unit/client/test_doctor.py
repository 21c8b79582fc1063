"""`retort doctor` on a cluster where one thing after the other is broken."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import httpx
import pytest

from retort import Retort
from retort.diagnosis import examine, links
from retort.version import __version__

NEEDED = ("cpu", "predict", "predict_now", "control")


class Cluster:
    """A healthy server; tests break what they want."""

    def __init__(self, tmp_path):
        self.home = tmp_path
        self.date = datetime.now(UTC)
        self.alive = True
        self.checks = {"postgres": "ok", "redis": "ok"}
        self.key_is_good = True
        self.version = __version__
        self.queues = {name: {"workers": 1, "oldest_seconds": 0, "running": 0} for name in NEEDED}
        self.links = {"flower": None, "mlflow": None}
        self.configured = True
        #: status of the server's own examination, and what it found
        self.diagnosis = (200, [])

    def handle(self, request):
        if not self.alive:
            raise httpx.ConnectError("refused")
        headers = {"Date": format_datetime(self.date, usegmt=True)}
        path = request.url.path
        if path == "/health/live":
            return httpx.Response(200, json={"status": "ok"}, headers=headers)
        if path == "/health/ready":
            ok = all(said == "ok" for said in self.checks.values())
            return httpx.Response(200 if ok else 503, json={"checks": self.checks})
        if not self.key_is_good:
            problem = {"code": "unauthorized", "detail": "a wrong key", "remedy": "another"}
            return httpx.Response(401, json=problem)
        if path.endswith("/admin/queues"):
            items = [{"queue": name, **figures} for name, figures in self.queues.items()]
            return httpx.Response(200, json={"items": items})
        if path.endswith("/admin/diagnosis"):
            status, items = self.diagnosis
            codes = {403: "forbidden", 404: "unknown_route"}
            problem = {"code": codes.get(status), "detail": "no", "remedy": "ask"}
            return httpx.Response(status, json={"items": items} if status == 200 else problem)
        about = {"version": self.version, "caller": "me", "links": self.links}
        return httpx.Response(200, json=about)

    def connect(self):
        from retort.config import find_config

        if not self.configured:
            find_config()
        client = Retort("http://x", "k", transport=httpx.MockTransport(self.handle))
        client.config_source = str(self.home / "client.json")
        return client

    def findings(self):
        return {finding.name: finding for finding in examine(self.connect)}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    for name in ("RETORT_URL", "RETORT_API_KEY", "RETORT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Cluster(tmp_path)


def test_a_healthy_cluster_has_nothing_to_mend(cluster):
    found = cluster.findings()
    assert {finding.state for finding in found.values()} == {"ok"}
    assert list(found) == [
        *("configuration", "server", "clock", "stores", "key", "version", "workers")
    ]


def breaks(cluster, name, state, words, **broken):
    for attribute, value in broken.items():
        setattr(cluster, attribute, value)
    finding = cluster.findings()[name]
    assert finding.state == state
    assert words in finding.said
    assert finding.remedy


def test_no_configuration(cluster):
    breaks(cluster, "configuration", "fail", "client.json", configured=False)
    assert len(cluster.findings()) == 1


def test_an_unreadable_configuration_file_is_named(cluster, tmp_path):
    stored = tmp_path / "retort" / "client.json"
    stored.parent.mkdir()
    stored.write_text("{not json")
    breaks(cluster, "configuration", "fail", str(stored), configured=False)


def test_no_server(cluster):
    breaks(cluster, "server", "fail", "cannot be reached", alive=False)


def test_a_store_is_away(cluster):
    checks = {"postgres": "OperationalError", "redis": "ok"}
    breaks(cluster, "stores", "fail", "postgres: OperationalError", checks=checks)


def test_a_wrong_key(cluster):
    breaks(cluster, "key", "fail", "a wrong key", key_is_good=False)


def test_another_version(cluster):
    breaks(cluster, "version", "warn", "server 99.1.0", version="99.1.0")


def test_nobody_works_at_a_queue_that_is_needed(cluster):
    cluster.queues["cpu"]["workers"] = 0
    breaks(cluster, "workers", "fail", "nobody works at cpu")


def test_nobody_works_at_the_gpu(cluster):
    cluster.queues["gpu"] = {"workers": 0, "oldest_seconds": 0, "running": 0}
    breaks(cluster, "workers", "warn", "gpu")


def test_jobs_that_nobody_takes(cluster):
    cluster.queues["cpu"]["oldest_seconds"] = 3_600
    breaks(cluster, "queues", "warn", "cpu")


@pytest.mark.parametrize("seconds", [-90, 90])
def test_a_clock_that_is_wrong(cluster, seconds):
    then = datetime.now(UTC) + timedelta(seconds=seconds)
    breaks(cluster, "clock", "warn", "behind" if seconds > 0 else "ahead", date=then)


@pytest.mark.parametrize(
    ("free", "state"), [(1 << 20, "fail"), (2 << 30, "warn"), (99 << 30, "ok")]
)
def test_room_on_the_disk_of_an_embedded_cluster(cluster, tmp_path, monkeypatch, free, state):
    (tmp_path / "state.json").write_text("{}")
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    assert cluster.findings()["disk"].state == state


def test_what_the_server_finds_in_itself_is_told(cluster):
    schema = {"name": "schema", "state": "fail", "said": "behind", "why": "w", "remedy": "migrate"}
    cluster.diagnosis = (200, [schema, {**schema, "name": "queues"}])
    found = cluster.findings()
    assert found["schema"].as_dict() == schema
    assert "queues" not in found, "`workers` tells that"


def test_a_server_that_does_not_look_or_does_not_tell(cluster):
    cluster.diagnosis = (404, [])
    assert {finding.state for finding in cluster.findings().values()} == {"ok"}
    cluster.diagnosis = (403, [])
    assert "administrators" in cluster.findings()["installation"].said
    cluster.diagnosis = (503, [])
    assert cluster.findings()["installation"].state == "fail"


@pytest.mark.parametrize(("status", "state"), [(200, "fail"), (401, "ok")])
def test_flower_that_is_open_to_everybody(monkeypatch, status, state):
    monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(status))
    (finding,) = links({"flower": "http://x", "mlflow": None})
    assert finding.state == state
    assert ("FLOWER_BASIC_AUTH" in finding.remedy) == (state == "fail")


def test_pages_beside_ours_that_do_not_answer():
    (finding,) = links({"flower": "http://127.0.0.1:9/", "mlflow": None})
    assert (finding.name, finding.state) == ("flower", "warn")
    assert "does not answer" in finding.said


def test_the_command_fails_when_something_does(shell, cluster, monkeypatch):
    monkeypatch.setattr("retort.cli.doctor.connect", cluster.connect)
    healthy = shell.run("doctor")
    assert healthy.code == 0, healthy.out
    assert healthy.out.splitlines()[0].startswith("ok   configuration")
    cluster.version = "99.1.0"
    assert shell.run("doctor").code == 0, "a warning is no failure"
    cluster.key_is_good = False
    ill = shell.run("doctor")
    assert ill.code == 1
    assert "fail key" in ill.out
    assert shell.run("doctor", "--json").code == 1
