"""What every task does around its service: claim, heartbeat, run, finish. No task does more."""

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cache, partial
from typing import Any, TypeVar
from uuid import UUID

from app.core.errors import DeadlineExceeded, JobCancelled, LeaseLost, RetortError
from app.core.log_fields import bound, bound_in_process
from app.core.requests import RequestModel
from app.core.tracing import span
from app.core.work import (
    ChunkResult,
    ChunkSpec,
    ChunkWorkContext,
    FanOut,
    Outcome,
    WorkContext,
)
from app.db.database import Database
from app.jobs import chunks as chunk_store
from app.jobs.attempt_log import attempt_log
from app.jobs.claim import Owner, claim_finalize, claim_job
from app.jobs.context import ChunkContext, Drained, JobContext
from app.jobs.finish import (
    MAX_OUTAGES,
    backoff_seconds,
    end_badly,
    problem_of,
    put_back,
    succeed,
)
from app.jobs.log_store import Run as LoggedRun
from app.jobs.model import Chunk, Job
from app.jobs.outages import is_outage
from app.jobs.store import get_job
from app.kinds import KINDS
from app.kinds.deferred import fill_ready
from app.resources import Resources, get_resources
from app.storage import keys
from workers import draining
from workers.child_keeper import WORKER_VARIABLE
from workers.dispatch import send_chord, send_finalize, send_job
from workers.job_spans import chunk_span, job_span

logger = logging.getLogger(__name__)

T = TypeVar("T")
#: packages whose errors mean that the broker is away, as some of them are no ConnectionError
_BROKER_ERRORS = ("kombu", "amqp")
#: how long a finished run waits for Postgres
_PATIENCE_SECONDS = 1800.0

Run = Callable[[Resources, WorkContext, Any], Outcome]
Plan = Callable[[Resources, WorkContext, Any], FanOut]
RunChunk = Callable[[Resources, ChunkWorkContext, Any, ChunkSpec], dict[str, Any]]
Finalize = Callable[[Resources, WorkContext, Any, Sequence[ChunkResult]], Outcome]


def run_job(job_id: str, run: Run) -> None:
    """A simple kind: one process does it all."""
    _claimed(job_id, run)


def run_plan(job_id: str, plan: Plan, finalize: Finalize) -> None:
    """A divided kind: plan, then a chord of chunks; with nothing to divide, finalize at once."""

    def step(resources: Resources, context: JobContext, params: Any) -> Outcome | None:
        numbers = _kept_division(resources, context.job)
        if numbers is None:
            fan_out = plan(resources, context, params)
            if not fan_out.chunks:
                return finalize(resources, context, params, [])
            context.flush()
            numbers = _divide(resources, context.job, fan_out)
        _send_division(context.job, numbers)
        return None

    _claimed(job_id, step)


def _divide(resources: Resources, job: Job, plan: FanOut) -> list[int]:
    settings = resources.settings
    limit = chunk_store.TimeLimit.from_settings(settings)
    resources.storage.write(keys.division(job.id, job.attempt), b"")
    return chunk_store.fan_out(resources.database, job, plan, limit)


def _kept_division(resources: Resources, job: Job) -> list[int] | None:
    """Of a job that a person retried: the chunks that have no answer yet, when what the others
    have made is still there; else None, and all is planned anew.
    """
    planned_in = chunk_store.planned_in(resources.database, job)
    if planned_in is None or not resources.storage.exists(keys.division(job.id, planned_in)):
        return None
    numbers = chunk_store.resume(resources.database, job)
    logger.info("job %s goes on: %d chunks had no answer", job.id, len(numbers))
    return numbers


def _send_division(job: Job, numbers: list[int]) -> None:
    if numbers:
        _send(lambda celery: send_chord(celery, job, numbers))
    else:
        _send(lambda celery: send_finalize(celery, job))


def run_chunk(job_id: str, number: int, run: RunChunk) -> int:
    """One chunk, and trials that had to go back and may run by now; gives the number (all that a
    chord carries) and never raises.
    """
    waiting: int | None = number
    while waiting is not None and _run_chunk(job_id, waiting, run):
        waiting = _first_put_back(job_id)
    return number


def _first_put_back(job_id: str) -> int | None:
    """What is not found here the sweep sends again."""
    if draining.is_draining():
        return None
    try:
        return chunk_store.first_put_back(get_resources().database, UUID(job_id))
    except Exception as error:
        if not is_outage(error):
            raise
        return None


def _run_chunk(job_id: str, number: int, run: RunChunk) -> bool:
    """Whether a trial has succeeded, so that others may run by now."""
    resources = get_resources()
    since = time.time_ns()
    settings = resources.settings
    chunk = chunk_store.claim_chunk(
        resources.database, UUID(job_id), number, _owner(), lease_seconds=settings.lease_seconds
    )
    if chunk is None:
        with bound(job_id=job_id, chunk=number):
            logger.info("chunk %s of job %s: nothing to do", number, job_id)
        return False
    log = LoggedRun(job_id=chunk.job_id, attempt=chunk.job_attempt, chunk=chunk.chunk)
    ids = _ids(log, chunk.kind, chunk.correlation_id)
    spans = chunk_span(chunk, since)
    with ids, spans, attempt_log(resources.database, settings, log):
        return _work_on_chunk(resources, chunk, run) and chunk.is_trial


def _work_on_chunk(resources: Resources, chunk: Chunk, run: RunChunk) -> bool:
    """Whether it has succeeded."""
    settings = resources.settings
    name = f"chunk {chunk.chunk} of job {chunk.job_id}"
    logger.info("%s starts: %d to %d", name, chunk.spec.start_row, chunk.spec.stop_row)
    try:
        with ChunkContext(
            resources.database,
            chunk,
            lease_seconds=settings.lease_seconds,
            interval=settings.heartbeat_seconds,
            draining=draining.is_draining,
        ) as context:
            params = _params(chunk.kind, chunk.params)
            result = run(resources, context, params, chunk.spec)
        _stored(lambda: chunk_store.finish_chunk(resources.database, chunk, result))
        logger.info("%s succeeded", name)
    except Exception as error:  # noqa: BLE001 - decided by kind, and logged, in _end_chunk
        _end_chunk(resources, chunk, error)
        return False
    return True


def run_finalize(job_id: str, finalize: Finalize) -> None:
    """After all chunks: whole result, once. A second delivery finds nothing to claim."""
    with bound(job_id=job_id):
        _run_finalize(job_id, finalize)


def _run_finalize(job_id: str, finalize: Finalize) -> None:
    resources = get_resources()
    since = time.time_ns()
    job = claim_finalize(
        resources.database,
        UUID(job_id),
        _owner(),
        lease_seconds=resources.settings.lease_seconds,
    )
    if job is None:
        logger.info("job %s: nothing to finalize", job_id)
        return
    results = chunk_store.chunk_results(resources.database, job.id)
    planned_in = chunk_store.planned_in(resources.database, job)
    with job_span("job finalize", job, since):
        _work(resources, job, lambda r, c, p: finalize(r, c, p, results), plan_attempt=planned_in)


Step = Callable[[Resources, JobContext, Any], Outcome | None]


def _claimed(job_id: str, step: Step) -> None:
    with bound(job_id=job_id):
        _claim_and_work(job_id, step)


def _claim_and_work(job_id: str, step: Step) -> None:
    resources = get_resources()
    since = time.time_ns()
    job = claim_job(
        resources.database,
        UUID(job_id),
        _owner(),
        lease_seconds=resources.settings.lease_seconds,
    )
    if job is None:
        logger.info("job %s: nothing to claim (a duplicate message, or it has ended)", job_id)
        return
    with job_span("job run", job, since):
        _work(resources, job, step)


def _work(resources: Resources, job: Job, step: Step, *, plan_attempt: int | None = None) -> None:
    run = LoggedRun(job_id=job.id, attempt=job.attempt)
    ids = _ids(run, job.kind, job.correlation_id)
    with ids, attempt_log(resources.database, resources.settings, run):
        logger.info("job %s (%s) attempt %d starts", job.id, job.kind, job.attempt)
        _run_and_end(resources, job, step, plan_attempt)


def _ids(run: LoggedRun, kind: str, correlation_id: str | None) -> AbstractContextManager[None]:
    """In every line that this process writes meanwhile: a child has one attempt at a time."""
    return bound_in_process(
        job_id=str(run.job_id),
        attempt=run.attempt,
        chunk=run.chunk,
        kind=kind,
        correlation_id=correlation_id,
    )


def _run_and_end(resources: Resources, job: Job, step: Step, plan_attempt: int | None) -> None:
    try:
        with _job_context(resources, job, plan_attempt) as context:
            context.raise_if_cancelled()
            outcome = step(resources, context, _params(job.kind, job.params))
            if outcome is None:
                logger.info("job %s was divided; its chunks run", job.id)
                return
            context.flush()
        with span("job finish", job_id=str(job.id)):
            ready = _stored(lambda: succeed(resources.database, job, outcome))
    except Drained:
        logger.info("job %s goes back to its queue: the worker is shutting down", job.id)
        _stored(lambda: put_back(resources.database, job))
    except Exception as error:  # noqa: BLE001 - decided by kind, and logged, in _end_job
        _publish(_end_job(resources, job, error))
        _forget_ended_work(resources, job)
    else:
        logger.info("job %s succeeded", job.id)
        _publish(ready)
        _publish(_filled(resources, job))
        _forget_work(resources, job)


def _job_context(resources: Resources, job: Job, plan_attempt: int | None) -> JobContext:
    return JobContext(
        resources.database,
        job,
        lease_seconds=resources.settings.lease_seconds,
        interval=resources.settings.heartbeat_seconds,
        draining=draining.is_draining,
        plan_attempt=plan_attempt,
    )


def _filled(resources: Resources, job: Job) -> list[Job]:
    """Jobs whose params took values of this one's result; what fails here the sweep does."""
    try:
        return fill_ready(resources, after=job.id)
    except Exception as error:
        if not is_outage(error):
            raise
        logger.warning("what needs job %s is filled in by the sweep: %s", job.id, error)
        return []


def _forget_work(resources: Resources, job: Job) -> None:
    """Parts and checkpoints of a job that has ended; what stays is found by `retort.clean_up`."""
    try:
        resources.storage.delete(f"work/{job.id}/")
    except Exception as error:
        if not is_outage(error):
            raise
        logger.warning("work files of job %s stay for now: %s", job.id, error)


def _forget_ended_work(resources: Resources, job: Job) -> None:
    """After a run that did not succeed: the job may be tried again, or be another worker's. What
    chunks have made stays for a retry by hand, until `retort.clean_up` removes it.
    """
    if job.fanned_out_at is not None:
        return
    try:
        ended = get_job(resources.database, job.project_id, job.id).is_terminal
    except Exception as error:
        if not is_outage(error):
            raise
        return
    if ended:
        _forget_work(resources, job)


def _end_job(resources: Resources, job: Job, error: Exception) -> list[Job]:
    if isinstance(error, RetortError):
        logger.info("job %s: %s: %s", job.id, type(error).__name__, error)
    else:
        logger.error("job %s failed", job.id, exc_info=error)
    return _stored(lambda: end_badly(resources.database, job, error))


def _stored(write: Callable[[], T]) -> T:
    """What a run ends with is written when Postgres is back: hours of work are not thrown away
    because it restarts. The parent keeps the lease meanwhile. A commit of which we did not hear is
    found out by the fence of the next try (LeaseLost).
    """
    give_up, delay = time.monotonic() + _PATIENCE_SECONDS, 0.5
    while True:
        try:
            return write()
        except Exception as error:
            if not is_outage(error) or time.monotonic() > give_up:
                raise
            logger.warning("the end of a run cannot be stored yet: %s", error)
        time.sleep(delay)
        delay = min(2 * delay, 5.0)


def _end_chunk(resources: Resources, chunk: Chunk, error: Exception) -> None:
    db, name = resources.database, f"chunk {chunk.chunk} of job {chunk.job_id}"
    logger.log(
        logging.INFO if isinstance(error, RetortError) else logging.ERROR,
        "%s: %s: %s",
        name,
        type(error).__name__,
        error,
        exc_info=None if isinstance(error, RetortError) else error,
    )
    try:
        if isinstance(error, LeaseLost):
            return
        _stored(lambda: _end_chunk_by_kind(db, chunk, error))
    except LeaseLost:
        logger.info("%s: another worker has it", name)


def _end_chunk_by_kind(db: Database, chunk: Chunk, error: Exception) -> None:
    if isinstance(error, Drained):
        chunk_store.put_back_chunk(db, chunk)
    elif isinstance(error, JobCancelled | DeadlineExceeded):
        chunk_store.cancel_chunk(db, chunk, problem_of(error))
    elif is_outage(error) and chunk.attempt <= MAX_OUTAGES:
        delay = backoff_seconds(chunk.attempt - 1, error)
        chunk_store.retry_chunk(db, chunk, after_seconds=delay, problem=problem_of(error))
    else:
        chunk_store.fail_chunk(db, chunk, problem_of(error))


def _publish(jobs: Sequence[Job]) -> None:
    for job in jobs:
        _send(partial(send_job, job=job))


def _send(send: Callable[[Any], None]) -> None:
    """Publish from inside a task; what fails is found and sent again by the sweeper."""
    from workers.celery_app import celery_app

    try:
        send(celery_app)
    except Exception as error:
        if not is_outage(error) and type(error).__module__.split(".")[0] not in _BROKER_ERRORS:
            raise
        logger.warning("publishing failed, the sweeper sends it again: %s", error)


def _params(kind: str, values: dict[str, Any]) -> RequestModel:
    return KINDS[kind].params.model_validate(values)


@cache
def _pid_owner(pid: int) -> Owner:
    return Owner(worker=os.environ.get(WORKER_VARIABLE, f"local#{pid}"), pid=pid)


def _owner() -> Owner:
    return _pid_owner(os.getpid())
