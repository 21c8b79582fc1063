"""The one door through which jobs come in: gateway, schedules and bridges use it alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.access.principal import Principal
from app.core.hashing import content_key
from app.core.requests import RequestModel
from app.jobs.submit import Attach, IdempotencyKey, NewJob, Submitted, submit_job
from app.jobs.waiting_room import WaitingRoom
from app.kinds.base import RESOLVED
from app.kinds.table import KINDS
from app.resources import Resources

__all__ = ["Submission", "Submitted", "submit"]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A validated request for a job."""

    kind: str
    params: RequestModel
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
    kind = KINDS[submission.kind]
    new = _new_job(resources, principal, submission)

    def prepare(session: Session, new: NewJob) -> tuple[NewJob, Attach | None]:
        return kind.resolve(resources, session, new, submission.params)

    return submit_job(
        resources.database,
        new,
        prepare=prepare,
        idempotency=_idempotency(principal, submission, new.params, idempotency_key),
        room=_room(resources.settings.database_url, resources.settings.max_waiting_jobs),
    )


def check(resources: Resources, principal: Principal, submission: Submission) -> dict[str, Any]:
    """The params as they would be stored, references resolved; nothing is. Raises as `submit`."""
    kind = KINDS[submission.kind]
    with Session(resources.database.engine) as session:  # never committed
        new = _new_job(resources, principal, submission)
        return kind.resolve(resources, session, new, submission.params)[0].params


def _new_job(resources: Resources, principal: Principal, submission: Submission) -> NewJob:
    params = submission.params.model_dump(mode="json")
    return NewJob(
        project_id=principal.project_id,
        kind=submission.kind,
        queue=KINDS[submission.kind].queue,
        params={**params, **dict.fromkeys(RESOLVED & params.keys())},
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
