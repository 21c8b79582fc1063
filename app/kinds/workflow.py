"""Jobs that depend on each other, submitted in one call: all are stored, or none."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.access.principal import Principal
from app.core.errors import FieldError, InvalidInput, NotFound, RetortError
from app.core.ids import new_id
from app.core.json_values import escape
from app.db.database import Database, cursor_of
from app.jobs.model import Job
from app.jobs.store import fetch_jobs_of
from app.jobs.submit import IdempotencyKey, first_answer, remember_answer, store_job
from app.kinds.from_results import MARK, contains_references, references_in, rewritten
from app.kinds.submission import Submission, check_alias, new_job, preparation, room_of
from app.kinds.table import KINDS
from app.kinds.validation import parse_params
from app.resources import Resources


@dataclass(frozen=True, kw_only=True)
class Step:
    """One job of a workflow, as it was asked for."""

    kind: str
    params: dict[str, Any]
    #: keys of other steps
    needs: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    priority: int = 5
    deadline_seconds: float | None = None
    client_ref: str | None = None


@dataclass(frozen=True, kw_only=True)
class Workflow:
    id: UUID
    #: by key, in an order in which each comes after those that it needs
    jobs: dict[str, Job]
    #: the Idempotency-Key was used before with the same body
    replayed: bool = False


def submit_workflow(
    resources: Resources,
    principal: Principal,
    steps: Mapping[str, Step],
    *,
    idempotency_key: str | None = None,
) -> Workflow:
    """Store every step as a job; the caller publishes those that are queued. A step that takes a
    value of another's result needs that one, said or not.

    Raises InvalidInput with all that is wrong, below /jobs/<key>; NotFound, UnknownName,
    TooManyJobs; IdempotencyMismatch, IdempotencyInProgress.
    """
    idem = _idempotency(principal, steps, idempotency_key)
    order = _ordered(steps)
    with resources.database.session() as session:
        if idem is not None:
            known = first_answer(cursor_of(session), idem)
            if known is not None:
                return replace(get_workflow(resources.database, principal, known), replayed=True)
        workflow = _stored(resources, session, principal, order)
        if idem is not None:
            remember_answer(cursor_of(session), idem, workflow.id)
    return workflow


def store_workflow(
    resources: Resources, session: Session, principal: Principal, steps: Mapping[str, Step]
) -> Workflow:
    """The same as a part of the session's transaction."""
    return _stored(resources, session, principal, _ordered(steps))


def _stored(
    resources: Resources, session: Session, principal: Principal, order: dict[str, Step]
) -> Workflow:
    workflow_id = new_id()
    jobs = _store(resources, session, principal, workflow_id, order)
    return Workflow(id=workflow_id, jobs=jobs)


def get_workflow(database: Database, principal: Principal, workflow_id: UUID) -> Workflow:
    """Raises NotFound, also for one of another project."""
    with database.cursor() as cursor:
        jobs = fetch_jobs_of(cursor, principal.project_id, _correlation(workflow_id))
    if not jobs:
        raise NotFound(f"there is no workflow {workflow_id}")
    # a label that was taken away since: the id names the job as well
    return Workflow(
        id=workflow_id, jobs={job.labels.get("workflow_job", str(job.id)): job for job in jobs}
    )


# ---- what was asked for


def _ordered(steps: Mapping[str, Step]) -> dict[str, Step]:
    """Each after those that it needs. Raises InvalidInput for all that is wrong with the shape."""
    wrong: list[FieldError] = []
    needs: dict[str, set[str]] = {}
    for key, step in steps.items():
        if step.kind not in KINDS:
            known = ", ".join(KINDS)
            wrong.append(_error(f"/jobs/{key}/kind", "unknown_kind", f"the kinds are {known}"))
        found = _needs_of(key, step, steps, wrong)
        needs[key] = found
    _raise(wrong)
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        # graphlib names each after the one that it needs; read aloud the other way round
        circle: list[str] = list(reversed(error.args[1]))
        pointer = f"/jobs/{circle[0]}/needs"
        _raise([_error(pointer, "cycle", f"{' needs '.join(circle)}: none could ever start")])
        raise
    return {key: replace(steps[key], needs=tuple(sorted(needs[key]))) for key in order}


def _needs_of(key: str, step: Step, steps: Mapping[str, Step], wrong: list[FieldError]) -> set[str]:
    for number, need in enumerate(step.needs):
        if need not in steps:
            detail = f"there is no job {need!r} in this workflow; it has {', '.join(steps)}"
            wrong.append(_error(f"/jobs/{key}/needs/{number}", "unknown_key", detail))
    found = set(step.needs)
    try:
        references = references_in(step.params)
    except InvalidInput as error:
        wrong += [_below(key, one) for one in error.errors]
        return found
    for one in references:
        if one.job in steps:
            found.add(one.job)
            continue
        detail = f"there is no job {one.job!r} in this workflow; it has {', '.join(steps)}"
        wrong.append(_error(f"/jobs/{key}{one.pointer}", "unknown_key", detail))
    return found


def _error(pointer: str, code: str, detail: str) -> FieldError:
    return FieldError(pointer=pointer, code=code, detail=detail)


def _below(key: str, error: FieldError) -> FieldError:
    return {**error, "pointer": f"/jobs/{escape(key)}{error['pointer']}"}


def _raise(wrong: list[FieldError]) -> None:
    if wrong:
        detail = "; ".join(f"{one['pointer']}: {one['detail']}" for one in wrong[:5])
        raise InvalidInput(detail, errors=wrong)


# ---- storing


def _store(
    resources: Resources,
    session: Session,
    principal: Principal,
    workflow_id: UUID,
    order: Mapping[str, Step],
) -> dict[str, Job]:
    """In order, so that a step finds the data set that an earlier one has announced. Every step is
    looked at before what is wrong with them is told.
    """
    jobs: dict[str, Job] = {}
    wrong: list[FieldError] = []
    error: RetortError | None = None
    for key, step in order.items():
        if any(need not in jobs for need in step.needs):
            continue  # what it needs is wrong already
        trial = session.begin_nested()
        try:
            jobs[key] = _store_one(resources, session, principal, workflow_id, key, step, jobs)
            trial.commit()
        except RetortError as refused:
            trial.rollback()
            if not refused.errors:
                raise
            error = refused
            wrong += [_below(key, one) for one in refused.errors]
    if error is not None:
        if len(wrong) == len(error.errors):  # of one step: told as it is, with its remedy
            error.errors = wrong
            raise error
        _raise(wrong)
    return jobs


def _store_one(
    resources: Resources,
    session: Session,
    principal: Principal,
    workflow_id: UUID,
    key: str,
    step: Step,
    jobs: Mapping[str, Job],
) -> Job:
    params: Any = step.params
    if contains_references(params):
        found = references_in(params)
        params = rewritten(params, found, lambda one: {MARK: one.text(jobs[one.job].id)})
    else:
        params = parse_params(KINDS[step.kind], params)
    submission = Submission(
        kind=step.kind,
        params=params,
        labels={**step.labels, "workflow": str(workflow_id), "workflow_job": key},
        needs=[jobs[need].id for need in step.needs],
        priority=step.priority,
        deadline_seconds=step.deadline_seconds,
        client_ref=step.client_ref,
        correlation_id=_correlation(workflow_id),
    )
    check_alias(principal, submission)
    return store_job(
        session,
        new_job(resources, principal, submission),
        prepare=preparation(resources, submission),
        room=room_of(resources),
    )


def _correlation(workflow_id: UUID) -> str:
    return f"workflow:{workflow_id}"


def _idempotency(
    principal: Principal, steps: Mapping[str, Step], key: str | None
) -> IdempotencyKey | None:
    body = {name: vars(step) for name, step in steps.items()}
    return IdempotencyKey.of(principal.project_id, principal.name, "workflows", key, body)
