"""Jobs: submit, poll, list, and what they made."""

import asyncio
import time
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any
from uuid import UUID

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Header, Query, Response
from pydantic import AwareDatetime, Field
from starlette.concurrency import run_in_threadpool

from api.dependencies import Caller, WithDispatcher, WithNotifier, WithResources
from api.notifier import JobNotifier
from api.paging import WithPage
from api.responses import etag_of, json_response, preferred_wait
from api.schemas.file import file_json
from api.schemas.job import (
    JobAnswer,
    JobPage,
    JobRequest,
    job_json,
)
from api.schemas.problem import PROBLEMS
from app.access.principal import Principal
from app.db.files import FileRow
from app.jobs.filters import JobFilter
from app.jobs.listing import list_page
from app.jobs.model import Job
from app.jobs.states import JobState
from app.jobs.store import get_job, list_attempts, list_chunks
from app.kinds import Submission, Submitted, submit
from app.resources import Resources
from workers.dispatch import Dispatcher

router = APIRouter(prefix="/jobs", tags=["jobs"], responses=PROBLEMS)

IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", min_length=8, max_length=255)
]
Prefer = Annotated[str | None, Header(description="wait=N: answer when it has ended, at most 60 s")]
_Kind = Annotated[str, Field(max_length=50)]
_Label = Annotated[str, Field(max_length=401)]
_POLL_SECONDS = 1.0


@router.post("", status_code=202, response_model=JobAnswer)
async def submit_job(
    request: JobRequest,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    notifier: WithNotifier,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response:
    """Accept a job. The same Idempotency-Key and body give the same job again."""
    submission = Submission(
        kind=request.kind,
        params=request.params,
        labels=dict(request.labels),
        needs=request.needs,
        priority=request.priority,
        deadline_seconds=request.deadline_seconds,
        client_ref=request.client_ref,
        correlation_id=request.correlation_id,
    )
    submitted = await to_thread.run_sync(
        accept, resources, caller, dispatcher, submission, idempotency_key, limiter=_few_writers()
    )
    return await _accepted(resources, notifier, submitted, prefer)


@cache
def _few_writers() -> CapacityLimiter:
    """More threads than this only wait for each other's interpreter lock (benchmarks/submit.py)."""
    return CapacityLimiter(4)


def accept(
    resources: Resources,
    caller: Principal,
    dispatcher: Dispatcher,
    submission: Submission,
    idempotency_key: str | None,
) -> Submitted:
    """Store, then hand to the relay; every route that makes a job comes through here."""
    submitted = submit(resources, caller, submission, idempotency_key=idempotency_key)
    if submitted.job.state is JobState.QUEUED and not submitted.replayed:
        dispatcher.enqueue(submitted.job)
    return submitted


async def _accepted(
    resources: Resources, notifier: JobNotifier, submitted: Submitted, prefer: str | None
) -> Response:
    job, headers = submitted.job, {"Location": f"/api/v1/jobs/{submitted.job.id}"}
    if submitted.replayed:
        headers["Idempotency-Replayed"] = "true"
    wait = preferred_wait(prefer)
    if wait:
        job = await wait_for(resources, notifier, job, wait, lambda fresh: fresh.is_terminal)
        headers["Preference-Applied"] = f"wait={wait:g}"
    status = 200 if wait and job.is_terminal else 202
    if status == 202:  # noqa: PLR2004
        headers["Retry-After"] = "1"
    return json_response(job_json(job), status=status, headers=headers)


async def wait_for(
    resources: Resources, notifier: JobNotifier, job: Job, seconds: float, done: Any
) -> Job:
    """The job as soon as `done` says so, or as it is after `seconds`."""
    end = time.monotonic() + seconds
    with notifier.subscribe(str(job.id)) as changed:
        while True:
            changed.clear()
            fresh = await run_in_threadpool(get_job, resources.database, job.project_id, job.id)
            left = end - time.monotonic()
            if done(fresh) or left <= 0:
                return fresh
            try:
                await asyncio.wait_for(changed.wait(), min(left, _POLL_SECONDS))
            except TimeoutError:
                continue  # look at the row anyway: a notification may have been lost


@router.get("", response_model=JobPage)
def get_jobs(
    caller: Caller,
    resources: WithResources,
    page: WithPage,
    state: Annotated[list[JobState] | None, Query(max_length=10)] = None,
    kind: Annotated[list[_Kind] | None, Query(max_length=20)] = None,
    label: Annotated[list[_Label] | None, Query(max_length=20, description="key:value")] = None,
    parent_id: UUID | None = None,
    created_after: AwareDatetime | None = None,
    created_before: AwareDatetime | None = None,
    created_by: Annotated[str | None, Query(max_length=200)] = None,
    q: Annotated[str | None, Query(min_length=2, max_length=100)] = None,
) -> Response:
    """Newest first; `state` and `kind` may be repeated: any of them; `label`: all of them.

    `q`: in the client's reference, a label, or the name, data set or model that was asked for; or
    the beginning of the id (8 characters or more). With filters that have no index a page may hold
    fewer jobs than `limit`, even none, and name a `next_cursor`: go on until it is null.
    """
    filters = JobFilter(
        **_one_or_several("state", state),
        **_one_or_several("kind", kind),
        labels=dict(text.partition(":")[::2] for text in label or []) or None,
        parent_id=parent_id,
        created_after=created_after,
        created_before=created_before,
        created_by=created_by,
        q=q,
    )
    found = list_page(
        resources.database,
        caller.project_id,
        filters,
        limit=page.limit,
        before_id=page.before_id,
    )
    return page.answer_until([job_json(job) for job in found.jobs], found.next_id)


def _one_or_several(name: str, values: Sequence[str] | None) -> dict[str, Any]:
    """One value has a better index than several."""
    distinct = tuple(dict.fromkeys(str(value) for value in values or ()))
    if not distinct:
        return {}
    return {name: distinct[0]} if len(distinct) == 1 else {f"{name}s": distinct}


@router.get("/{job_id}", response_model=JobAnswer)
async def get_one(
    job_id: UUID,
    caller: Caller,
    resources: WithResources,
    notifier: WithNotifier,
    wait: Annotated[float, Query(ge=0, le=60)] = 0,
    if_version: int | None = None,
    prefer: Prefer = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """One job. With `wait` it answers when the job has ended or its version passed `if_version`."""
    job = await run_in_threadpool(get_job, resources.database, caller.project_id, job_id)
    seconds = wait or preferred_wait(prefer) or 0.0
    if seconds:

        def done(fresh: Job) -> bool:
            return fresh.is_terminal or (if_version is not None and fresh.version > if_version)

        job = await wait_for(resources, notifier, job, seconds, done)
    headers = {"ETag": etag_of(job)}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return json_response(job_json(job), headers=headers)


@router.get("/{job_id}/artifacts")
def artifacts(job_id: UUID, caller: Caller, resources: WithResources) -> Response:
    """Files that the job made; download them by /files/{id}/content."""
    get_job(resources.database, caller.project_id, job_id)
    with resources.database.session() as session:
        rows = session.query(FileRow).where(FileRow.job_id == job_id).order_by(FileRow.id).all()
    return json_response({"items": [file_json(row) for row in rows]})


@router.get("/{job_id}/attempts")
def attempts(job_id: UUID, caller: Caller, resources: WithResources) -> Response:
    get_job(resources.database, caller.project_id, job_id)
    return json_response({"items": list_attempts(resources.database, job_id)})


@router.get("/{job_id}/chunks")
def chunks(job_id: UUID, caller: Caller, resources: WithResources) -> Response:
    """Of a divided job: each part with its state."""
    get_job(resources.database, caller.project_id, job_id)
    return json_response({"items": list_chunks(resources.database, job_id)})
