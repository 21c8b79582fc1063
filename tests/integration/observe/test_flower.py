"""A real Flower beside a real worker: who may look, what they see, and that nobody may do."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.cluster import WorkerProcess
from tests.support.waiting import wait_for
from workers.processes import Shape, processes
from workers.queues import NAMES
from workers.servers import free_port

ROOT = Path(__file__).resolve().parents[3]
USER, PASSWORD = "retort", "for-this-test-only"


def command(port):
    (spec,) = (one for one in processes(Shape(flower_port=port)) if one.name == "flower")
    return [sys.executable if word == "python" else word for word in spec.command]


@pytest.fixture
def flower(retort_environment, fast_leases, tmp_path):
    """(its client, the worker)"""
    environment = {**os.environ, **retort_environment, **fast_leases}
    worker = WorkerProcess(environment, tmp_path / "cpu.log")
    port = free_port()
    with (tmp_path / "flower.log").open("ab") as log:
        process = subprocess.Popen(
            command(port),
            cwd=ROOT,
            env={**environment, "FLOWER_BASIC_AUTH": f"{USER}:{PASSWORD}"},
            stdout=log,
            stderr=log,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            worker.wait_ready()
            wait_for(lambda: listens(client), "flower answers")
            yield client, worker
    finally:
        process.terminate()
        process.wait(timeout=20)
        worker.kill()


def listens(client):
    try:
        return client.get("/healthcheck").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.req("K-7", "goal-88")
@pytest.mark.slow
def test_flower_is_behind_a_login_and_read_only(flower):
    client, worker = flower
    for path in ("/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks", "/metrics"):
        assert client.get(path).status_code == 401, path
        wrong = client.get(path, auth=(USER, "wrong"))
        assert wrong.status_code == 401, path
    client.auth = (USER, PASSWORD)
    assert client.get("/").status_code == 200

    (name,) = wait_for(
        lambda: list(client.get("/api/workers", params={"refresh": True}).json()),
        "flower has found the worker",
    )
    told = client.get("/api/workers", params={"refresh": True}).json()[name]
    assert {"retort.probe", "retort.probe_chunk"} <= set(told["registered"])
    assert {queue["name"] for queue in told["active_queues"]} == {"cpu", "cpu_bulk"}
    lengths = client.get("/api/queues/length").json()["active_queues"]
    assert {queue["name"] for queue in lengths} <= set(NAMES)

    for path in (
        *("task/send-task/retort.sweep", "task/apply/retort.sweep"),
        *("task/async-apply/retort.sweep", "task/revoke/some-id", "task/abort/some-id"),
        *("task/timeout/retort.sweep", "task/rate-limit/retort.sweep"),
        *(f"worker/shutdown/{name}", f"worker/pool/restart/{name}", f"worker/pool/grow/{name}"),
        *(f"worker/pool/shrink/{name}", f"worker/queue/add-consumer/{name}?queue=gpu"),
        f"worker/queue/cancel-consumer/{name}?queue=cpu",
    ):
        answer = client.post(f"/api/{path}", json={"args": []})
        assert answer.status_code == 403, (path, answer.status_code)
        assert "ead only" in answer.text
    assert worker.process.poll() is None


def test_without_a_login_it_does_not_start(retort_environment):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FLOWER")}
    said = subprocess.run(
        command(free_port()),
        cwd=ROOT,
        env={**environment, **retort_environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert said.returncode == 1
    assert "FLOWER_BASIC_AUTH" in said.stderr
