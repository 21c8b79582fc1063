"""What a Celery worker's parent does beside consuming: it keeps its children, and drains."""

import os
import time
from typing import Any
from uuid import uuid4

from celery import bootsteps
from celery.signals import worker_shutdown, worker_shutting_down
from celery.worker.state import active_requests

from app.resources import get_resources
from workers import busy, draining
from workers.child_keeper import WORKER_VARIABLE, ChildKeeper
from workers.usage_reports import count_this_drain


class LeaseKeeper(bootsteps.StartStopStep):
    """A ChildKeeper for the children of the prefork pool."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **_: Any) -> None:
        super().__init__(worker)
        boot_id = uuid4().hex[:8]
        name = f"{worker.hostname}#{boot_id}"
        os.environ[WORKER_VARIABLE] = name
        draining.prepare(boot_id)
        busy.prepare(boot_id)
        self._keeper = ChildKeeper(
            name,
            queues=lambda: [str(queue) for queue in worker.app.amqp.queues.consume_from],
            pids=lambda: _child_pids(worker),
            busy_pids=busy_pids,
        )
        worker_shutdown.connect(self._withdraw)

    def create(self, worker: Any) -> None:
        """Nothing to build: the threads start with the worker."""

    def start(self, worker: Any) -> None:
        del worker
        self._keeper.start(get_resources())

    def stop(self, worker: Any) -> None:
        """Goes on: this step stops before the pool does, whose children still need their leases."""

    def terminate(self, worker: Any) -> None:
        """Likewise."""

    def _withdraw(self, **_: object) -> None:
        """The children have ended by now."""
        count_this_drain(get_resources())
        draining.end()
        busy.end()
        self._keeper.stop(get_resources())


def _child_pids(worker: Any) -> list[int]:
    """Living children of the prefork pool (`billiard` processes)."""
    pool = getattr(worker.pool, "_pool", None)
    processes = getattr(pool, "_pool", None) or []
    return [process.pid for process in processes if process.is_alive()]


def busy_pids() -> set[int]:
    """Children that have a task, as they say themselves or as Celery's consumer knows. A child that
    works is never to count as idle: its file may be lost with a folder that was tidied away, and
    the consumer hears of nothing while the broker is away.
    """
    while True:
        try:
            return busy.pids() | {request.worker_pid for request in active_requests}
        except RuntimeError:  # another thread changed the set while we looked
            time.sleep(0.001)


@worker_shutting_down.connect
def _begin_drain(**_: object) -> None:
    draining.begin()
