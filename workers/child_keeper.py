"""What a worker's parent does for its children: leases, heartbeat, memory, the end at a drain."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Sequence

import psutil

from app.core.errors import Problem
from app.jobs.outages import is_outage
from app.jobs.worker_rows import end_claims, keep_leases, put_back_all, too_much_memory
from app.jobs.workers import WorkerInfo, announce, withdraw
from app.resources import Resources
from workers import draining
from workers.memory import child_limit, resident_bytes

logger = logging.getLogger(__name__)

_TICK_SECONDS = 5.0
#: a process that allocates as fast as it can gets about a gigabyte in this time
_WATCH_SECONDS = 0.5
#: name of this worker's process family, told to children through the environment
WORKER_VARIABLE = "RETORT_WORKER_NAME"


class ChildKeeper:
    """Two threads of the parent (design 3.3): C code in a child cannot starve them.

    Every 5 s it renews the leases of living children, ends those of dead ones (so that the next
    sweep takes their work back), kills a child that ignores a cancel for longer than the grace or
    whose chunk hangs, and tells Redis that this worker is alive. Twice a second it looks at the
    children's memory and, once the worker was told to end, at the time: what has not ended within
    `drain_seconds` is put back and killed, which costs nobody an attempt.
    """

    def __init__(
        self,
        worker_name: str,
        *,
        queues: Callable[[], Sequence[str]],
        pids: Callable[[], list[int]],
        busy_pids: Callable[[], Collection[int]],
    ) -> None:
        """`pids`: of living children; `busy_pids`: of those that have a task."""
        self._worker_name = worker_name
        self._queues, self._pids, self._busy_pids = queues, pids, busy_pids
        self._started_at = time.time()
        self._stop = threading.Event()
        self._idle_before: frozenset[int] = frozenset()
        #: a round that saw killed children before their work was put back would count a crash
        self._turn = threading.Lock()

    def start(self, resources: Resources) -> None:
        memory_limit = child_limit(resources.settings.max_child_memory_bytes)
        self._every(_TICK_SECONDS, lambda: self._tick(resources), "lease-keeper")
        self._every(_WATCH_SECONDS, lambda: self._watch(resources, memory_limit), "child-watch")

    def stop(self, resources: Resources) -> None:
        """Once the children have ended."""
        self._stop.set()
        try:
            withdraw(resources.cache, self._worker_name)
        except Exception as error:
            if not is_outage(error):
                raise
            logger.warning("could not withdraw %s: %s", self._worker_name, error)

    def end_child(self, resources: Resources, pid: int, problem: Problem | None) -> None:
        """Kill it; the sweeper takes its work back and tells `problem`."""
        why = "it ignores a cancel or its deadline" if problem is None else problem["detail"]
        logger.warning("killing child %d: %s", pid, why)
        _kill(pid)
        end_claims(resources.database, self._worker_name, pid, problem)

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

    def _tick(self, resources: Resources) -> None:
        with self._turn:
            pids = self._keep_leases(resources)
        announce(
            resources.cache,
            WorkerInfo(
                name=self._worker_name,
                queues=list(self._queues()),
                processes=pids,
                started_at=self._started_at,
            ),
        )

    def _keep_leases(self, resources: Resources) -> list[int]:
        """The children that live."""
        settings = resources.settings
        pids = self._pids()
        idle = frozenset(pids) - frozenset(self._busy_pids())
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
            self.end_child(resources, pid, problem)
        return pids

    def _watch(self, resources: Resources, memory_limit: int) -> None:
        if draining.seconds_since_begin() > resources.settings.drain_seconds:
            with self._turn:
                self._put_back_all(resources)
            return
        for pid in self._pids():
            used = resident_bytes(pid)
            if used > memory_limit:
                self.end_child(resources, pid, too_much_memory(used, memory_limit))

    def _put_back_all(self, resources: Resources) -> None:
        """First the end of the children, so that nobody still works on what goes back."""
        for pid in self._pids():
            _kill(pid)
        count = put_back_all(resources.database, self._worker_name)
        if count:
            logger.warning("%d jobs or chunks went back: they did not stop in time", count)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, psutil.Error):
        process = psutil.Process(pid)
        os.kill(pid, signal.SIGKILL)
        # a zombie until its parent reaps it: it runs no more
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
