"""Real worker processes on the private servers, for fault tests."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.jobs.sweeper import sweep
from workers.broker import empty_queues, has_forgotten
from workers.dispatch import send_chunk, send_finalize, send_job

ROOT = Path(__file__).resolve().parents[2]


class WorkerProcess:
    """`celery worker` with the probe tasks; killed with its children at the end."""

    def __init__(
        self,
        environment: dict[str, str],
        log: Path,
        *,
        queues: str = "cpu,cpu_bulk",
        concurrency: int = 2,
    ) -> None:
        self.log = log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "celery", "-A", "tests.support.probe_app", "worker"),
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
        wait_for(lambda: " ready." in self.log.read_text(), "the worker is ready", seconds=60)
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


def wait_for(condition: Callable[[], Any], what: str, *, seconds: float = 30.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s in vain until {what}")


class Sweeping(threading.Thread):
    """What beat and the control worker do, every half second."""

    def __init__(self, resources: Any, celery: Any) -> None:
        super().__init__(daemon=True)
        self.resources, self.celery = resources, celery
        self.stopped = threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.5):
            try:
                self._once()
            except Exception as error:  # noqa: BLE001 - Redis or Postgres is down in some tests
                print("sweep failed:", error)

    def _once(self) -> None:
        found = sweep(
            self.resources.database,
            self.resources.settings,
            empty_queues=empty_queues(self.celery),
            broker_forgot=has_forgotten(self.celery),
        )
        for job in found.jobs:
            send_job(self.celery, job)
        for chunk in found.chunks:
            send_chunk(self.celery, chunk)
        for job in found.finalize:
            send_finalize(self.celery, job)


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
