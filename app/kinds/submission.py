"""The one door through which jobs come in: gateway, schedules and bridges use it alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.access.principal import Principal
from app.core.hashing import content_key
from app.core.requests import RequestModel
from app.jobs.submit import Attach, IdempotencyKey, NewJob, Prepare, Submitted, submit_job
from app.jobs.waiting_room import WaitingRoom
from app.kinds.base import no_attach, unresolved
from app.kinds.deferred import deferred, fill_ready
from app.kinds.table import KINDS
from app.resources import Resources

__all__ = ["Submission", "Submitted", "submit"]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A validated request for a job."""

    kind: str
    #: a plain object when it holds references to results of needed jobs (`deferred.py`)
    params: RequestModel | dict[str, Any]
    labels: dict[str, str] = field(default_factory=dict)
    needs: Sequence[UUID] = ()
    priority: int = 5
    deadline_seconds: float | None = None
    client_ref: str | None = None
    correlation_id: str | None = None
    rerun_of: UUID | None = None


def submit(
    resources: Resources,
    principal: Principal,
    submission: Submission,
    *,
    idempotency_key: str | None = None,
) -> Submitted:
    """Store the job; the caller hands `job` to the dispatcher when it is queued and not replayed.

    Raises InvalidInput, UnknownName, NotFound (with the request's field), IdempotencyMismatch,
    IdempotencyInProgress, TooManyJobs.
    """
    new = new_job(resources, principal, submission)
    submitted = submit_job(
        resources.database,
        new,
        prepare=preparation(resources, submission),
        idempotency=_idempotency(principal, submission, new.params, idempotency_key),
        room=room_of(resources),
    )
    if isinstance(submission.params, dict) and not submitted.replayed:
        # what it needs may have succeeded already
        for job in fill_ready(resources, only=submitted.job.id):
            return replace(submitted, job=job)
    return submitted


def preparation(resources: Resources, submission: Submission) -> Prepare:
    """What happens to the new job in the transaction that stores it."""
    kind, params = KINDS[submission.kind], submission.params

    def prepare(session: Session, new: NewJob) -> tuple[NewJob, Attach | None]:
        if isinstance(params, dict):
            return no_attach(deferred(resources, session, new))
        return kind.resolve(resources, session, new, params)

    return prepare


def check(resources: Resources, principal: Principal, submission: Submission) -> dict[str, Any]:
    """The params as they would be stored, references resolved; nothing is. Raises as `submit`."""
    prepare = preparation(resources, submission)
    with Session(resources.database.engine) as session:  # never committed
        return prepare(session, new_job(resources, principal, submission))[0].params


def new_job(resources: Resources, principal: Principal, submission: Submission) -> NewJob:
    params = submission.params
    values = params if isinstance(params, dict) else params.model_dump(mode="json")
    return NewJob(
        project_id=principal.project_id,
        kind=submission.kind,
        queue=KINDS[submission.kind].queue,
        params=unresolved(values),
        created_by=principal.name,
        labels=submission.labels,
        needs=tuple(submission.needs),
        priority=submission.priority,
        max_attempts=resources.settings.max_attempts,
        deadline_seconds=submission.deadline_seconds,
        client_ref=submission.client_ref,
        correlation_id=submission.correlation_id,
        rerun_of=submission.rerun_of,
    )


def room_of(resources: Resources) -> WaitingRoom:
    return _room(resources.settings.database_url, resources.settings.max_waiting_jobs)


@lru_cache(maxsize=8)
def _room(database_url: str, limit: int) -> WaitingRoom:
    """This process's; one for each database, for the sake of tests."""
    del database_url
    return WaitingRoom(limit)


def _idempotency(
    principal: Principal, submission: Submission, params: dict[str, Any], key: str | None
) -> IdempotencyKey | None:
    if key is None:
        return None
    body = {
        "kind": submission.kind,
        "params": params,
        "labels": submission.labels,
        "needs": [str(need) for need in submission.needs],
        "priority": submission.priority,
        "deadline_seconds": submission.deadline_seconds,
        "client_ref": submission.client_ref,
        "correlation_id": submission.correlation_id,
        "rerun_of": str(submission.rerun_of),
    }
    return IdempotencyKey(
        scope=f"{principal.project_id}:{principal.name}:jobs",
        key=key,
        body_hash=content_key(body),
    )
