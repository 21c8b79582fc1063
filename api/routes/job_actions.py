"""What a person asks of jobs that exist: cancel, retry, rerun, relabel, one or many."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response

from api.dependencies import Caller, WithDispatcher, WithResources
from api.job_desk import accept
from api.once import REPLAYED
from api.responses import etag_of, json_response
from api.rights import Guarded, needs
from api.routes.jobs import IdempotencyKey
from api.schemas.job import JobAnswer, job_json
from api.schemas.job_actions import (
    BulkAnswer,
    BulkRequest,
    RelabelRequest,
    RerunAnswer,
    RerunRequest,
    RerunTriedAnswer,
)
from api.schemas.problem import PROBLEMS
from app.access.principal import Principal
from app.access.rights import Right
from app.core.errors import Conflict, FieldError, InvalidInput, NotFound, PreconditionFailed
from app.jobs.bulk import Bulk, change_jobs, count_jobs, unfilled
from app.jobs.control import request_cancel, retry_failed
from app.jobs.filters import JobFilter
from app.jobs.labels import relabel
from app.jobs.model import Job
from app.jobs.store import get_job
from app.kinds.deferred import fill_if_deferred
from app.kinds.rerun import Edits, edited
from app.kinds.submission import check
from app.resources import Resources
from workers.dispatch import Dispatcher

logger = logging.getLogger(__name__)

router = APIRouter(route_class=Guarded, prefix="/jobs", tags=["jobs"], responses=PROBLEMS)


@router.post("/bulk", response_model=BulkAnswer, dependencies=[needs(Right.JOBS_CONTROL_OWN)])
def bulk(
    request: BulkRequest, caller: Caller, resources: WithResources, dispatcher: WithDispatcher
) -> Response:
    """Cancel, retry or relabel every job that the filter names; `dry_run` only counts them. Who may
    do so with own jobs only reaches those: the others are not counted.
    """
    where = request.filter.as_filter()
    if not where.as_json():
        raise InvalidInput(
            "the filter is empty, and would mean every job of the project",
            remedy="Name at least one of its fields; `created_before` with the time of now is all.",
            errors=[FieldError(pointer="/filter", code="empty", detail="name at least one field")],
        )
    asked = Bulk(
        action=request.action,
        where=_within_reach(caller, where),
        project_id=caller.project_id,
        by=caller.name,
        labels=dict(request.labels),
    )
    count = count_jobs(resources.database, asked)
    changed = list(count.eligible)
    if not request.dry_run:
        changed = change_jobs(resources.database, asked, count.eligible, publish=dispatcher.enqueue)
        if request.action == "retry":
            changed += _retry_deferred(resources, dispatcher, asked, count.eligible)
    body = {"matched": count.matched, "changed": len(changed), "jobs": changed}
    return json_response({**body, "dry_run": request.dry_run})


@router.patch("/{job_id}", response_model=JobAnswer, dependencies=[needs(Right.JOBS_CONTROL_OWN)])
def patch_labels(
    job_id: UUID,
    request: RelabelRequest,
    caller: Caller,
    resources: WithResources,
    if_match: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """A merge patch on the labels. With If-Match only when the job still has that ETag (412)."""

    def unchanged(job: Job) -> None:
        _require_own(caller, job)
        if if_match not in (None, "*", etag_of(job)):
            raise PreconditionFailed(f"the ETag of job {job.id} is {etag_of(job)} by now")

    job = relabel(
        resources.database,
        caller.project_id,
        job_id,
        dict(request.labels),
        by=caller.name,
        check=unchanged,
    )
    return json_response(job_json(job), headers={"ETag": etag_of(job)})


@router.post(
    "/{job_id}/cancel",
    status_code=202,
    response_model=JobAnswer,
    dependencies=[needs(Right.JOBS_CONTROL_OWN)],
)
def cancel(job_id: UUID, caller: Caller, resources: WithResources) -> Response:
    """At once while it waits; a running job is asked to stop, and stopped by force after 30 s."""
    _require_own(caller, get_job(resources.database, caller.project_id, job_id))
    job = request_cancel(resources.database, caller.project_id, job_id, by=caller.name)
    return json_response(job_json(job), status=202)


@router.post(
    "/{job_id}/retry",
    status_code=202,
    response_model=JobAnswer,
    dependencies=[needs(Right.JOBS_CONTROL_OWN)],
)
def retry(
    job_id: UUID, caller: Caller, resources: WithResources, dispatcher: WithDispatcher
) -> Response:
    """Run a failed job once more. Of a divided job only the parts without an answer run again."""
    _require_own(caller, get_job(resources.database, caller.project_id, job_id))
    job = retry_failed(
        resources.database,
        caller.project_id,
        job_id,
        by=caller.name,
        prepare=partial(fill_if_deferred, resources),
    )
    dispatcher.enqueue(job)
    return json_response(job_json(job), status=202)


def _require_own(caller: Principal, job: Job) -> None:
    """Raises Forbidden. Whose job it is never changes, so that looking first is safe."""
    caller.require_own(job.created_by, Right.JOBS_CONTROL_OWN, Right.JOBS_CONTROL)


def _within_reach(caller: Principal, where: JobFilter) -> JobFilter:
    if caller.may(Right.JOBS_CONTROL):
        return where
    _refuse_others(caller, where.created_by)
    return replace(where, created_by=caller.name)


def _refuse_others(caller: Principal, created_by: str | None) -> None:
    if created_by is not None:
        caller.require_own(created_by, Right.JOBS_CONTROL_OWN, Right.JOBS_CONTROL)


def _retry_deferred(
    resources: Resources, dispatcher: Dispatcher, asked: Bulk, job_ids: Sequence[UUID]
) -> list[UUID]:
    """Jobs that take values of others, one by one; those for which they are of no use stay."""
    changed = []
    for job_id in unfilled(resources.database, job_ids):
        try:
            job = retry_failed(
                resources.database,
                asked.project_id,
                job_id,
                by=asked.by,
                event=asked.event,
                prepare=partial(fill_if_deferred, resources),
            )
        except (Conflict, InvalidInput, NotFound) as error:
            logger.info("bulk %s leaves job %s as it is: %s", asked.id, job_id, error)
            continue
        dispatcher.enqueue(job)
        changed.append(job_id)
    return changed


@router.post(
    "/{job_id}/rerun",
    status_code=202,
    response_model=RerunAnswer,
    responses={
        200: {"model": RerunTriedAnswer, "description": "With `dry_run`: none is submitted"}
    },
    dependencies=[needs(Right.JOBS_CONTROL_OWN)],
)
def rerun(
    job_id: UUID,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    request: RerunRequest,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A new job with what was written for the first, edited, its references resolved anew;
    `difference` shows the edits.
    """
    first = get_job(resources.database, caller.project_id, job_id)
    _require_own(caller, first)
    if request.params:
        caller.require(Right.JOBS_WRITE, instead=" (the params are edited: that is another job)")
    again = edited(
        first,
        Edits(
            params=request.params,
            labels=dict(request.labels),
            priority=request.priority,
            deadline_seconds=request.deadline_seconds,
        ),
    )
    if request.dry_run:
        params = check(resources, caller, again.submission)
        return json_response({"params": params, "difference": again.difference})
    submitted = accept(resources, caller, dispatcher, again.submission, idempotency_key)
    headers = {"Location": f"/api/v1/jobs/{submitted.job.id}"}
    if submitted.replayed:
        headers |= REPLAYED
    body = {**job_json(submitted.job), "difference": again.difference}
    return json_response(body, status=202, headers=headers)
