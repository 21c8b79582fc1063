"""The embedded cluster as a user meets it: up, status, a crash, down; and Ctrl-C."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from tests.support.servers import new_home
from workers.embedded.home import Home
from workers.embedded.state import is_supervised, read_state
from workers.processes import Shape, processes

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


class Cluster:
    """Runs the commands in a data folder of its own."""

    def __init__(self, root):
        self.home = Home(root)
        kept = {name: value for name, value in os.environ.items() if "REDIS" not in name}
        self.environment = {
            name: value for name, value in kept.items() if not name.startswith(("RETORT", "DATA"))
        } | {"RETORT_HOME": str(root)}

    def run(self, command, timeout=240):
        return subprocess.run(
            [sys.executable, "-m", "workers.embedded", command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def pids(self):
        state = read_state(self.home)
        return {process.name: process.pid for process in state.processes}

    def kill(self, pid):
        os.kill(pid, signal.SIGKILL)

    def log(self):
        return self.home.log("supervisor").read_text()

    def family(self):
        """Every living process that was given this data folder."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("RETORT_HOME") == str(self.home.root):
                    found.append(process)
            except psutil.Error:
                continue
        return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]

    def get(self, path, key=None):
        config = json.loads(self.home.client_config.read_text())
        request = urllib.request.Request(
            config["url"] + path, headers={"Authorization": f"Bearer {key or config['api_key']}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


def until(condition, seconds=60):
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def cluster():
    root = new_home("retort-acceptance-", in_memory=False)
    cluster = Cluster(root / "home")
    try:
        yield cluster
    finally:
        cluster.run("down")
        for process in cluster.family():
            process.kill()
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def running(cluster):
    done = cluster.run("up")
    assert done.returncode == 0, done.stdout + done.stderr
    return cluster


@pytest.mark.req("S1-22")
def test_up_returns_when_the_whole_cluster_answers(cluster):
    done = cluster.run("up")
    assert done.returncode == 0, done.stdout + done.stderr
    for label in ("API docs", "Flower", "MLflow", "Client config"):
        assert re.search(rf"{label} +\S+", done.stdout)
    queues = {
        queue["queue"]: queue["workers"] for queue in cluster.get("/api/v1/admin/queues")["items"]
    }
    assert queues == dict.fromkeys(["cpu", "gpu", "predict", "predict_now", "control"], 1)


def test_the_key_is_private_and_a_wrong_one_is_refused(running):
    assert stat.S_IMODE(running.home.client_config.stat().st_mode) == 0o600
    with pytest.raises(urllib.error.HTTPError, match="401"):
        running.get("/api/v1/jobs", key="rt_00000000_wrong")


@pytest.mark.req("K-7")
def test_flower_asks_who_is_there_and_secrets_are_not_on_command_lines(running):
    address = read_state(running.home).addresses["Flower"].split()[0]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{address}/api/workers", timeout=10)
    secrets = [
        running.home.secret("flower"),
        json.loads(running.home.client_config.read_text())["api_key"],
    ]
    secrets += [path.read_text() for path in running.home.root.glob("*/password")]
    commands = " ".join(" ".join(process.cmdline()) for process in running.family())
    assert "workers.celery_app" in commands
    assert not [secret for secret in secrets if secret in commands]


def test_a_second_up_says_what_runs_and_starts_nothing(running):
    before = running.pids()
    done = running.run("up")
    assert done.returncode == 0
    assert "runs already" in done.stdout
    assert running.pids() == before


@pytest.mark.req("S1-22")
def test_status_lists_every_process(running):
    done = running.run("status")
    assert done.returncode == 0
    names = {"postgres", "redis", "cache"} | {spec.name for spec in processes(Shape())}
    for name in names:
        assert re.search(rf"^  {name} +\d+ +.* +0 +\d+ MiB$", done.stdout, re.MULTILINE), name


@pytest.mark.parametrize("name", ["cpu", "gateway", "redis", "postgres"])
def test_a_killed_process_is_restarted_and_said_so(running, name):
    before = running.pids()[name]
    running.kill(before)
    until(lambda: running.pids()[name] not in {0, before})
    assert f"{name} died (signal 9); restarting (1)" in running.log()
    until(lambda: _answers(running))


def test_up_waits_for_a_process_that_is_started_again(running):
    before = running.pids()["flower"]
    running.kill(before)
    done = running.run("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "down" not in done.stdout
    assert running.pids()["flower"] != before


def _answers(cluster):
    try:
        return "items" in cluster.get("/api/v1/jobs")
    except OSError:
        return False


def test_a_killed_supervisor_leaves_nothing_and_everything_is_found_again(running):
    config = json.loads(running.home.client_config.read_text())
    running.kill(read_state(running.home).supervisor.pid)
    assert running.run("status").returncode == 1
    done = running.run("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(running.home.client_config.read_text()) == config, "same address, same key"
    workers = [p for p in running.family() if "cpu@%h" in p.cmdline()]
    parents = [p for p in workers if p.ppid() == read_state(running.home).supervisor.pid]
    assert len(parents) == 1
    assert all(p in parents or p.ppid() == parents[0].pid for p in workers)


def test_down_leaves_no_process(running):
    done = running.run("down")
    assert done.returncode == 0
    assert "draining" in done.stdout
    assert "stopped" in done.stdout
    assert running.family() == []
    assert running.run("status").returncode == 1
    assert "not running" in running.run("down").stdout


def test_ctrl_c_in_the_foreground_drains(cluster):
    with (cluster.home.logs / "supervisor.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.embedded", "run"],
            cwd=ROOT,
            env=cluster.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    # an earlier run's state file may be there: the lock says that this one has begun
    until(lambda: is_supervised(cluster.home))
    assert cluster.run("wait").returncode == 0
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.wait(90) == 0
    assert "draining" in cluster.log()
    assert "was killed" not in cluster.log()
    assert cluster.family() == []
