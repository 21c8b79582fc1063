"""What a worker's parent does beside consuming: leases of its children, heartbeat, drain."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psutil
from celery import bootsteps
from celery.signals import worker_shutdown, worker_shutting_down
from celery.worker.state import active_requests

from app.core.errors import Problem
from app.jobs.outages import is_outage
from app.jobs.worker_rows import end_claims, keep_leases, put_back_all, too_much_memory
from app.jobs.workers import WorkerInfo, announce, withdraw
from app.resources import Resources, get_resources
from workers import draining
from workers.memory import child_limit, resident_bytes

logger = logging.getLogger(__name__)

_TICK_SECONDS = 5.0
#: a process that allocates as fast as it can gets about a gigabyte in this time
_WATCH_SECONDS = 0.5
#: name of this worker's process family, told to children through the environment
WORKER_VARIABLE = "RETORT_WORKER_NAME"


class LeaseKeeper(bootsteps.StartStopStep):
    """Two threads of the parent (design 3.3): C code in a child cannot starve them.

    Every 5 s it renews the leases of living children, ends those of dead ones (so that the next
    sweep takes their work back), kills a child that ignores a cancel for longer than the grace or
    whose chunk hangs, and tells Redis that this worker is alive. Twice a second it looks at the
    children's memory and, once the worker was told to end, at the time: what has not ended within
    `drain_seconds` is put back and killed, which costs nobody an attempt.
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
        self._idle_before: frozenset[int] = frozenset()
        worker_shutdown.connect(self._withdraw)

    def create(self, worker: Any) -> None:
        """Nothing to build: the threads start with the worker."""

    def start(self, worker: Any) -> None:
        resources = get_resources()
        memory_limit = child_limit(resources.settings.max_child_memory_bytes)
        self._every(_TICK_SECONDS, lambda: self._tick(worker, resources), "lease-keeper")
        self._every(
            _WATCH_SECONDS, lambda: self._watch(worker, resources, memory_limit), "child-watch"
        )

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

    def _every(self, seconds: float, work: Callable[[], None], name: str) -> None:
        def run() -> None:
            delay = 0.0
            while not self._stop.wait(delay):
                delay = seconds
                try:
                    work()
                except Exception as error:
                    logger.warning("%s: %s", name, error, exc_info=not is_outage(error))

        threading.Thread(target=run, name=name, daemon=True).start()

    def _tick(self, worker: Any, resources: Resources) -> None:
        settings = resources.settings
        pids = _child_pids(worker)
        idle = frozenset(pids) - _busy_pids()
        upkeep = keep_leases(
            resources.database,
            self._worker_name,
            pids,
            # idle now and at the tick before: a task has not just begun or ended
            idle_pids=tuple(idle & self._idle_before),
            lease_seconds=settings.lease_seconds,
            grace_seconds=settings.cancel_grace_seconds,
        )
        self._idle_before = idle
        if upkeep.dead_claims:
            logger.warning("%d claims of dead or idle children were ended", upkeep.dead_claims)
        for pid, problem in upkeep.overdue.items():
            self._end_child(resources, pid, problem)
        announce(
            resources.cache,
            WorkerInfo(
                name=self._worker_name,
                queues=[str(queue) for queue in worker.app.amqp.queues.consume_from],
                processes=pids,
                started_at=self._started_at,
            ),
        )

    def _watch(self, worker: Any, resources: Resources, memory_limit: int) -> None:
        if draining.seconds_since_begin() > resources.settings.drain_seconds:
            self._put_back_all(worker, resources)
            return
        for pid in _child_pids(worker):
            used = resident_bytes(pid)
            if used > memory_limit:
                self._end_child(resources, pid, too_much_memory(used, memory_limit))

    def _end_child(self, resources: Resources, pid: int, problem: Problem | None) -> None:
        why = "it ignores a cancel or its deadline" if problem is None else problem["detail"]
        logger.warning("killing child %d: %s", pid, why)
        _kill(pid)
        end_claims(resources.database, self._worker_name, pid, problem)

    def _put_back_all(self, worker: Any, resources: Resources) -> None:
        """First the end of the children, so that nobody still works on what goes back."""
        for pid in _child_pids(worker):
            _kill(pid)
        count = put_back_all(resources.database, self._worker_name)
        if count:
            logger.warning("%d jobs or chunks went back: they did not stop in time", count)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, psutil.Error):
        process = psutil.Process(pid)
        os.kill(pid, signal.SIGKILL)
        # a zombie until billiard reaps it: it runs no more
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)


def _child_pids(worker: Any) -> list[int]:
    """Living children of the prefork pool (`billiard` processes)."""
    pool = getattr(worker.pool, "_pool", None)
    processes = getattr(pool, "_pool", None) or []
    return [process.pid for process in processes if process.is_alive()]


def _busy_pids() -> set[int]:
    """Children that have a task, as Celery's consumer knows; another thread changes the set."""
    while True:
        try:
            return {request.worker_pid for request in active_requests}
        except RuntimeError:  # it changed while we looked
            time.sleep(0.001)


@worker_shutting_down.connect
def _begin_drain(**_: object) -> None:
    draining.begin()
