"""A thread of a worker's parent that tells what the worker uses, and how its end went."""

import logging
import socket
import threading
from typing import Any

import psutil
from celery import bootsteps
from celery.signals import worker_shutdown

from app.core.code_revision import code_revision
from app.jobs.outages import is_outage
from app.monitoring.worker_reports import WorkerUsage, clock_ahead, count_drain, report_usage
from app.resources import Resources, get_resources
from workers import draining
from workers.gpu_usage import gpu_usages
from workers.memory import child_limit, family_memory
from workers.queues import GPU, consumed_with

logger = logging.getLogger(__name__)

_SECONDS = 15.0


class UsageStep(bootsteps.StartStopStep):
    """Apart from the lease keeper: reading memory and asking a GPU's driver may take seconds."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **_: Any) -> None:
        super().__init__(worker)
        self._worker = str(worker.hostname)
        self._stop = threading.Event()
        worker_shutdown.connect(self._end)

    def create(self, worker: Any) -> None:
        """Nothing to build: the thread starts with the worker."""

    def start(self, worker: Any) -> None:
        queues = {str(queue) for queue in worker.app.amqp.queues.consume_from}
        with_gpus = not queues.isdisjoint(consumed_with(GPU))
        resources = get_resources()
        run = threading.Thread(target=self._run, args=(resources, with_gpus), daemon=True)
        run.name = "usage"
        run.start()

    def stop(self, worker: Any) -> None:
        """Goes on while the children drain."""

    def terminate(self, worker: Any) -> None:
        """Likewise."""

    def _run(self, resources: Resources, with_gpus: bool) -> None:
        limit = child_limit(resources.settings.max_child_memory_bytes)
        while not self._stop.is_set():
            try:
                report_usage(resources.cache, self._usage(resources, limit, with_gpus=with_gpus))
            except Exception as error:
                logger.warning("the worker's usage: %s", error, exc_info=not is_outage(error))
            self._stop.wait(_SECONDS)

    def _usage(self, resources: Resources, limit: int, *, with_gpus: bool) -> WorkerUsage:
        memory, largest = family_memory(psutil.Process())
        return WorkerUsage(
            worker=self._worker,
            host=socket.gethostname(),
            memory=memory,
            largest_child=largest,
            child_limit=limit,
            gpus=gpu_usages() if with_gpus else [],
            version=code_revision()["version"] or "",
            clock_ahead=round(clock_ahead(resources.cache), 3),
        )

    def _end(self, **_: object) -> None:
        self._stop.set()


def count_this_drain(resources: Resources) -> None:
    """Once the children have ended. Nothing is counted of a worker that was not asked to end."""
    seconds = draining.seconds_since_begin()
    if seconds < 0:
        return
    in_time = seconds <= resources.settings.drain_seconds
    try:
        count_drain(resources.cache, seconds, in_time=in_time)
    except Exception as error:
        if not is_outage(error):
            raise
        logger.warning("the drain was not counted: %s", error)
