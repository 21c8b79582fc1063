"""Where requests for jobs are taken in and jobs are read, those that arrive together at once."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from anyio import CapacityLimiter, to_thread

from api.gathering import Gathering
from app.access.principal import Principal
from app.core.errors import NotFound
from app.core.log_fields import bound
from app.core.tracing import current_traceparent, is_tracing, span
from app.jobs.model import Job
from app.jobs.states import JobState
from app.jobs.store import fetch_jobs, no_such_job
from app.kinds import (
    Asked,
    Fate,
    Submission,
    Submitted,
    check_alias,
    goes_together,
    submit,
    submit_several,
)
from app.resources import Resources
from workers.dispatch import Dispatcher

logger = logging.getLogger(__name__)


def accept(
    resources: Resources,
    caller: Principal,
    dispatcher: Dispatcher,
    submission: Submission,
    idempotency_key: str | None,
) -> Submitted:
    """Store, then hand to the relay: one job in a transaction of its own."""
    submitted = submit(resources, caller, submission, idempotency_key=idempotency_key)
    _publish(dispatcher, [submitted])
    return submitted


def _publish(dispatcher: Dispatcher, fates: Sequence[Fate]) -> None:
    jobs = [
        fate.job
        for fate in fates
        if isinstance(fate, Submitted) and fate.job.state is JobState.QUEUED and not fate.replayed
    ]
    if jobs:
        dispatcher.enqueue(*jobs)


def _tell(submitted: Submitted) -> None:
    """Where the request's lines and the job's meet."""
    job = submitted.job
    with bound(job_id=str(job.id), kind=job.kind, correlation_id=job.correlation_id):
        known = " before" if submitted.replayed else ""
        logger.info("job %s (%s) was accepted%s", job.id, job.kind, known)


class JobDesk:
    """Of one gateway process: a thread that stores, a thread that reads."""

    def __init__(self, resources: Resources, dispatcher: Dispatcher) -> None:
        self._resources = resources
        self._dispatcher = dispatcher
        self._storing = Gathering[Asked, Fate](self._store, name="jobs-storing")
        self._reading = Gathering[tuple[UUID, UUID], Job](self._read, name="jobs-reading")
        #: more threads than this only wait for each other's interpreter lock
        self._alone = CapacityLimiter(4)

    def start(self) -> None:
        self._storing.start()
        self._reading.start()

    def close(self) -> None:
        """Everything that was asked is answered, and handed to the relay."""
        self._storing.close()
        self._reading.close()

    async def submit(
        self, caller: Principal, submission: Submission, idempotency_key: str | None
    ) -> Submitted:
        """Raises as `app.kinds.submit`."""
        if not is_tracing():
            return await self._submit(caller, submission, idempotency_key)
        with span("job submit", job_kind=submission.kind) as submitting:
            traced = replace(submission, traceparent=current_traceparent())
            submitted = await self._submit(caller, traced, idempotency_key)
            submitting.set(job_id=str(submitted.job.id), job_queue=submitted.job.queue)
            return submitted

    async def _submit(
        self, caller: Principal, submission: Submission, idempotency_key: str | None
    ) -> Submitted:
        if goes_together(submission):
            check_alias(caller, submission)
            asked = Asked(principal=caller, submission=submission, idempotency_key=idempotency_key)
            fate = await self._storing.ask(asked)
            if isinstance(fate, Submitted):
                _tell(fate)
                return fate
        submitted = await to_thread.run_sync(
            accept,
            self._resources,
            caller,
            self._dispatcher,
            submission,
            idempotency_key,
            limiter=self._alone,
        )
        _tell(submitted)
        return submitted

    async def read(self, project_id: UUID, job_id: UUID) -> Job:
        """As it is in Postgres after this was called. Raises NotFound."""
        return await self._reading.ask((project_id, job_id))

    def _store(self, asked: Sequence[Asked]) -> Sequence[Fate]:
        fates = submit_several(self._resources, asked)
        _publish(self._dispatcher, fates)
        return fates

    def _read(self, asked: Sequence[tuple[UUID, UUID]]) -> Sequence[Job | NotFound]:
        with self._resources.database.cursor() as cursor:
            found = {job.id: job for job in fetch_jobs(cursor, {job_id for _, job_id in asked})}
        return [_of_project(found.get(job_id), project_id, job_id) for project_id, job_id in asked]


def _of_project(job: Job | None, project_id: UUID, job_id: UUID) -> Job | NotFound:
    return job if job is not None and job.project_id == project_id else no_such_job(job_id)
