"""The one door through which jobs come in: gateway, schedules and bridges use it alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.access.principal import Principal
from app.access.rights import Right
from app.core.origin import Origin, current_origin
from app.core.requests import RequestModel
from app.core.tracing import current_traceparent
from app.db.database import cursor_of
from app.jobs.model import Job
from app.jobs.store import fetch_job
from app.jobs.submit import (
    Attach,
    IdempotencyKey,
    NewJob,
    Prepare,
    Submitted,
    first_answer,
    submit_job,
)
from app.jobs.together import ALONE, Fate, Order, submit_together
from app.jobs.waiting_room import WaitingRoom
from app.kinds.base import no_attach, unresolved
from app.kinds.deferred import deferred, fill_ready
from app.kinds.table import KINDS
from app.models.reference import CHAMPION, STAGE_WORDS
from app.resources import Resources

__all__ = [
    "ALONE",
    "Asked",
    "Fate",
    "Submission",
    "Submitted",
    "check_alias",
    "goes_together",
    "replay_of",
    "submit",
    "submit_several",
]

#: within which keys are counted, whatever the door
_ROUTE = "jobs"


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
    #: what was sent, when the rest was worked out of it: the idempotency key stands for this
    asked: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    #: the request that asks for it: jobs may be stored by a thread that serves many
    origin: Origin | None = field(default_factory=current_origin, compare=False, repr=False)
    #: of the request, when another thread stores it; None: of the span that is open there
    traceparent: str | None = None


def submit(
    resources: Resources,
    principal: Principal,
    submission: Submission,
    *,
    idempotency_key: str | None = None,
) -> Submitted:
    """Store the job; the caller hands `job` to the dispatcher when it is queued and not replayed.

    Raises InvalidInput, UnknownName, NotFound (with the request's field), IdempotencyMismatch,
    IdempotencyInProgress, TooManyJobs, Forbidden.
    """
    check_alias(principal, submission)
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


def replay_of(
    resources: Resources, principal: Principal, asked: Mapping[str, Any], key: str
) -> Job | None:
    """The job that was made of a `Submission.asked` under this key, before anything is done again.

    Raises IdempotencyMismatch, IdempotencyInProgress.
    """
    idem = IdempotencyKey.of(principal.project_id, principal.name, _ROUTE, key, asked)
    if idem is None:
        return None
    with resources.database.session() as session:
        cursor = cursor_of(session)
        first = first_answer(cursor, idem)
        return None if first is None else fetch_job(cursor, principal.project_id, first)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One of several submissions that arrived together."""

    principal: Principal
    submission: Submission
    idempotency_key: str | None = None


def goes_together(submission: Submission) -> bool:
    """Whether it may be stored in one transaction with others (app/jobs/together.py)."""
    in_need = submission.needs or isinstance(submission.params, dict)
    return KINDS[submission.kind].only_reads and not in_need


def submit_several(resources: Resources, asked: Sequence[Asked]) -> list[Fate]:
    """As `submit` does for each, in one transaction; ALONE: `submit` has to do it.

    All of them are of those that go together, and were asked for by `check_alias`. Raises an outage
    of the database.
    """
    orders = [_order(resources, one) for one in asked]
    return submit_together(resources.database, orders, room=room_of(resources))


def _order(resources: Resources, asked: Asked) -> Order:
    new = new_job(resources, asked.principal, asked.submission)
    return Order(
        new=new,
        prepare=preparation(resources, asked.submission),
        idempotency=_idempotency(
            asked.principal, asked.submission, new.params, asked.idempotency_key
        ),
    )


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
    check_alias(principal, submission)
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
        traceparent=submission.traceparent or current_traceparent(),
        rerun_of=submission.rerun_of,
        origin=submission.origin,
    )


def check_alias(principal: Principal, submission: Submission) -> None:
    """Raises Forbidden when the job would point an alias that the principal may not point. Of a
    training: one that has a policy is never moved by it (app/registry/training.py). What will come
    from the result of another job is not known yet, and may be any word.
    """
    params = submission.params
    alias = params.get("alias") if isinstance(params, dict) else getattr(params, "alias", None)
    if alias is None or principal.may(Right.ALIASES_PROTECTED):
        return
    principal.require(Right.ALIASES_FREE, instead=" (the job would point an alias)")
    if not isinstance(alias, str) or STAGE_WORDS.get(alias, alias) == CHAMPION:
        why = f" (the job would point @{alias}: leave the alias out, or choose another)"
        principal.require(Right.ALIASES_PROTECTED, instead=why)


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
    body = submission.asked or {
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
    return IdempotencyKey.of(principal.project_id, principal.name, _ROUTE, key, body)
