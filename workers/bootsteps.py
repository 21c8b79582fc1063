"""What a worker's parent does beside consuming: leases of its children, heartbeat, drain."""

import logging
import os
import signal
import threading
import time
from typing import Any
from uuid import uuid4

from celery import bootsteps
from celery.signals import worker_shutdown, worker_shutting_down

from app.jobs.outages import is_outage
from app.jobs.worker_rows import keep_leases
from app.jobs.workers import WorkerInfo, announce, withdraw
from app.resources import Resources, get_resources
from workers import draining

logger = logging.getLogger(__name__)

_TICK_SECONDS = 5.0
#: name of this worker's process family, told to children through the environment
WORKER_VARIABLE = "RETORT_WORKER_NAME"


class LeaseKeeper(bootsteps.StartStopStep):
    """A thread of the parent (design 3.3): C code in a child cannot starve it.

    Every 5 s it renews the leases of living children, ends those of dead ones (so that the next
    sweep takes their work back), kills a child that ignores a cancel for longer than the grace,
    and tells Redis that this worker is alive.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **_: Any) -> None:
        super().__init__(worker)
        boot_id = uuid4().hex[:8]
        self._worker_name = f"{worker.hostname}#{boot_id}"
        os.environ[WORKER_VARIABLE] = self._worker_name
        draining.prepare(boot_id)
        self._started_at = time.time()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        worker_shutdown.connect(self._withdraw)

    def create(self, worker: Any) -> None:
        """Nothing to build: the thread starts with the worker."""

    def start(self, worker: Any) -> None:
        self._thread = threading.Thread(
            target=self._run, args=(worker,), name="lease-keeper", daemon=True
        )
        self._thread.start()

    def stop(self, worker: Any) -> None:
        """Goes on: this step stops before the pool does, whose children still need their leases."""

    def terminate(self, worker: Any) -> None:
        """Likewise."""

    def _withdraw(self, **_: object) -> None:
        """The children have ended by now."""
        self._stop.set()
        draining.end()
        try:
            withdraw(get_resources().cache, self._worker_name)
        except Exception as error:
            if not is_outage(error):
                raise
            logger.warning("could not withdraw %s: %s", self._worker_name, error)

    def _run(self, worker: Any) -> None:
        resources = get_resources()
        delay = 0.0
        while not self._stop.wait(delay):
            delay = _TICK_SECONDS
            try:
                self._tick(worker, resources)
            except Exception as error:
                logger.warning("lease keeper: %s", error, exc_info=not is_outage(error))

    def _tick(self, worker: Any, resources: Resources) -> None:
        settings = resources.settings
        pids = _child_pids(worker)
        upkeep = keep_leases(
            resources.database,
            self._worker_name,
            pids,
            lease_seconds=settings.lease_seconds,
            grace_seconds=settings.cancel_grace_seconds,
        )
        if upkeep.dead_claims:
            logger.warning("%d claims of dead children were ended", upkeep.dead_claims)
        for pid in upkeep.overdue_pids:
            logger.warning("killing child %d: it ignored a cancel or its deadline", pid)
            os.kill(pid, signal.SIGKILL)
        announce(
            resources.cache,
            WorkerInfo(
                name=self._worker_name,
                queues=[str(queue) for queue in worker.app.amqp.queues.consume_from],
                processes=pids,
                started_at=self._started_at,
            ),
        )


def _child_pids(worker: Any) -> list[int]:
    """Living children of the prefork pool (`billiard` processes)."""
    pool = getattr(worker.pool, "_pool", None)
    processes = getattr(pool, "_pool", None) or []
    return [process.pid for process in processes if process.is_alive()]


@worker_shutting_down.connect
def _begin_drain(**_: object) -> None:
    draining.begin()
