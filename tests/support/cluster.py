"""Real worker processes on the private servers, for fault tests."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.waiting import wait_for
from workers.sweeping import sweep_and_send

ROOT = Path(__file__).resolve().parents[2]


class WorkerProcess:
    """`celery worker` with the probe tasks (or those of another application); killed with its
    children at the end.
    """

    def __init__(
        self,
        environment: dict[str, str],
        log: Path,
        *,
        queues: str = "cpu,cpu_bulk",
        concurrency: int = 2,
        application: str = "tests.support.probe_app",
    ) -> None:
        self.log = log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", application, "worker"),
                    *("-Q", queues, "-c", str(concurrency), "-n", f"{log.stem}@%h"),
                    *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
                ],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )

    def wait_ready(self) -> "WorkerProcess":
        wait_for(lambda: " ready." in self.log.read_text(), "the worker is ready", seconds=180)
        return self

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def kill(self) -> None:
        """The whole family at once, as the out-of-memory killer or a lost machine would."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait(timeout=10)


class Sweeping(threading.Thread):
    """What beat and the control worker do, every half second."""

    def __init__(self, resources: Any, celery: Any) -> None:
        super().__init__(daemon=True)
        self.resources, self.celery = resources, celery
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.5):
            try:
                sweep_and_send(self.resources, self.celery)
            except Exception as error:  # noqa: BLE001 - Redis or Postgres is down in some tests
                print("sweep failed:", error)


@contextmanager
def cluster(resources: Any, environment: dict[str, str], folder: Path) -> Iterator[Any]:
    """A function that starts workers, with a sweeper running beside them."""
    from tests.support.probe_app import celery_app

    celery_app.conf.update(
        broker_url=environment["RETORT_BROKER_URL"],
        result_backend=environment["RETORT_REDIS_URL"],
    )
    started: list[WorkerProcess] = []

    def start(name: str = "cpu", **options: Any) -> WorkerProcess:
        worker = WorkerProcess(environment, folder / f"{name}-{len(started)}.log", **options)
        started.append(worker)
        return worker.wait_ready()

    sweeping = Sweeping(resources, celery_app)
    sweeping.start()
    try:
        yield start
    finally:
        sweeping.stopped.set()
        sweeping.join(timeout=10)
        for worker in started:
            worker.kill()


@pytest.fixture
def fast_leases(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Short leases, so that a lost parent is noticed within seconds."""
    values = {
        "RETORT_LEASE_SECONDS": "6",
        "RETORT_HEARTBEAT_SECONDS": "1",
        "RETORT_CANCEL_GRACE_SECONDS": "2",
        "RETORT_DRAIN_SECONDS": "9",
        "RETORT_MAX_CHILD_MEMORY_BYTES": str(1 << 30),
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values
