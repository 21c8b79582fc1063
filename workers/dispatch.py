"""From row to message: the only place that publishes jobs, chunks and finalizers.

A message holds ids only. Publishing may fail: the row is the outbox, the sweeper sends again.
"""

import logging
import queue
import threading
import time
from collections.abc import Sequence

from celery import Celery, chord, group
from redis import Redis

from app.core.settings import get_settings
from app.core.tracing import is_tracing, record
from app.jobs.chunks import queue_of
from app.jobs.model import Job
from app.jobs.sweeper import ChunkRef
from app.jobs.traces import traceparent_of
from app.resources import get_resources
from workers.broker import on_redis
from workers.queues import consumed_with, redis_level
from workers.wire import push_jobs

logger = logging.getLogger(__name__)

_MAX_BATCH = 200


def send_job(celery: Celery, job: Job) -> None:
    """The Celery task id is job id + attempt, so that Flower shows which attempt runs."""
    if not _is_carried(job.queue):
        return
    since = time.time_ns()
    celery.send_task(
        f"retort.{job.kind}",
        args=(str(job.id),),
        task_id=f"{job.id}.{job.attempt + 1}",
        queue=job.queue,
        priority=_broker_priority(celery, job.priority),
        ignore_result=True,
        retry=False,
    )
    _tell_published([job], since)


def send_chunk(celery: Celery, ref: ChunkRef) -> None:
    if not _is_carried(ref.queue):
        return
    celery.send_task(
        f"retort.{ref.kind}_chunk",
        args=(str(ref.job_id), ref.chunk),
        queue=ref.queue,
        priority=_broker_priority(celery, ref.priority),
        ignore_result=True,
        retry=False,
    )


def send_finalize(celery: Celery, job: Job) -> None:
    if not _is_carried(job.queue):
        return
    celery.send_task(
        f"retort.{job.kind}_finalize",
        args=(str(job.id),),
        queue=job.queue,
        priority=_broker_priority(celery, job.priority),
        ignore_result=True,
        retry=False,
    )


def send_chord(celery: Celery, job: Job, chunks: Sequence[int]) -> None:
    """All chunks as the header of a chord whose body finalizes the job."""
    if not _is_carried(job.queue):
        return
    priority = _broker_priority(celery, job.priority)
    header = group(
        celery.signature(
            f"retort.{job.kind}_chunk",
            args=(str(job.id), number),
            immutable=True,
            options={
                "queue": queue_of(job.queue, number),
                "priority": priority,
                "ignore_result": False,
                "task_id": _chunk_id(job, number),
            },
        )
        for number in chunks
    )
    body = celery.signature(
        f"retort.{job.kind}_finalize",
        args=(str(job.id),),
        immutable=True,
        options={"queue": job.queue, "priority": priority, "ignore_result": True},
    )
    chord(header, app=celery)(body)


def _is_carried(queue: str) -> bool:
    """Whether a worker reads messages of the queue; else they would pile up."""
    return not any(queue in consumed_with(name) for name in get_settings().take_one_queues)


def _broker_priority(celery: Celery, priority: int) -> int:
    """As the broker counts: RabbitMQ takes the highest first, kombu on Redis the lowest."""
    return redis_level(priority) if _on_redis(celery) else priority


def _on_redis(celery: Celery) -> bool:
    return on_redis(str(celery.conf.broker_url))


def _tell_published(jobs: Sequence[Job], since: int) -> None:
    if not is_tracing():
        return
    for job in jobs:
        record(
            "job publish",
            since,
            kind="producer",
            traceparent=traceparent_of(get_resources().database, job.id),
            job_id=str(job.id),
            job_kind=job.kind,
            job_queue=job.queue,
            job_attempt=job.attempt + 1,
        )


def _chunk_id(job: Job, number: int) -> str:
    return f"{job.id}.{job.attempt}.{number}"


class Dispatcher:
    """The gateway's relay: accepts jobs without waiting, publishes from a thread of its own, all
    that have gathered at once. Bounded: when it is full, jobs are left to the sweeper.
    """

    def __init__(self, celery: Celery | None = None) -> None:
        if celery is None:
            from workers.celery_app import celery_app

            celery = celery_app
        self._celery = celery
        self._redis: Redis[bytes] | None = (
            Redis.from_url(str(celery.conf.broker_url)) if _on_redis(celery) else None
        )
        #: those that were stored together lie together: the relay is woken once for them
        self._jobs: queue.Queue[Sequence[Job] | None] = queue.Queue(maxsize=10_000)
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def enqueue(self, *jobs: Job) -> None:
        try:
            self._jobs.put_nowait(jobs)
        except queue.Full:
            ids = ", ".join(str(job.id) for job in jobs)
            logger.warning("the relay is full; the sweeper publishes %s", ids)

    def close(self) -> None:
        """Publish what is waiting, then stop."""
        self._jobs.put(None)
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while (jobs := self._jobs.get()) is not None:
            batch = [*jobs]
            stop = self._gather(batch)
            try:
                self._publish(batch)
            except Exception:
                logger.warning("publishing failed; the sweeper sends it again", exc_info=True)
            if stop:
                return

    def _gather(self, batch: list[Job]) -> bool:
        """Add what has arrived meanwhile; True when asked to stop."""
        while len(batch) < _MAX_BATCH:
            try:
                jobs = self._jobs.get_nowait()
            except queue.Empty:
                return False
            if jobs is None:
                return True
            batch += jobs
        return False

    def _publish(self, batch: Sequence[Job]) -> None:
        if self._redis is not None:
            since = time.time_ns()
            carried = [job for job in batch if _is_carried(job.queue)]
            push_jobs(self._redis, carried)
            _tell_published(carried, since)
            return
        for job in batch:
            send_job(self._celery, job)
