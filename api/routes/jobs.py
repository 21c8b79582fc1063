"""Jobs: submit, poll, list, and what they made."""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import Field, TypeAdapter
from starlette.concurrency import run_in_threadpool

from api.dependencies import Caller, WithDesk, WithNotifier, WithResources, recent_caller
from api.job_desk import JobDesk
from api.notifier import JobNotifier
from api.once import REPLAYED
from api.paging import WithPage
from api.responses import etag_of, json_response, preference_applied, preferred_wait
from api.rights import Guarded, needs
from api.schemas.file import file_json
from api.schemas.job import (
    JobAnswer,
    JobFields,
    JobPage,
    JobRequest,
    job_json,
)
from api.schemas.problem import PROBLEMS
from api.short_cuts import Short, ShortPaths, ordinary_body
from app.access.rights import Right
from app.core.requests import Instant
from app.db.files import FileRow
from app.jobs.filters import JobFilter
from app.jobs.listing import list_page
from app.jobs.model import Job
from app.jobs.states import JobState
from app.jobs.store import get_job, list_attempts, list_chunks
from app.kinds import Submission, Submitted
from app.resources import Resources

router = APIRouter(route_class=Guarded, prefix="/jobs", tags=["jobs"], responses=PROBLEMS)

IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", min_length=8, max_length=255)
]
Prefer = Annotated[str | None, Header(description="wait=N: answer when it has ended, at most 60 s")]
_Kind = Annotated[str, Field(max_length=50)]
_Label = Annotated[str, Field(max_length=401)]
_POLL_SECONDS = 1.0


@router.post("", status_code=202, response_model=JobAnswer, dependencies=[needs(Right.JOBS_WRITE)])
async def submit_job(
    request: JobRequest,
    caller: Caller,
    resources: WithResources,
    desk: WithDesk,
    notifier: WithNotifier,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response:
    """Accept a job. The same Idempotency-Key and body give the same job again."""
    submitted = await desk.submit(caller, _submission(request), idempotency_key)
    return await _accepted(resources, notifier, submitted, prefer)


def _submission(request: JobFields) -> Submission:
    """`request`: one of JobRequest, which differ in `kind` and `params`."""
    return Submission(
        kind=request.kind,  # type: ignore[attr-defined]
        params=request.params,  # type: ignore[attr-defined]
        labels=dict(request.labels),
        needs=request.needs,
        priority=request.priority,
        deadline_seconds=request.deadline_seconds,
        client_ref=request.client_ref,
        correlation_id=request.correlation_id,
    )


async def _accepted(
    resources: Resources, notifier: JobNotifier, submitted: Submitted, prefer: str | None
) -> Response:
    job, headers = submitted.job, _headers_of(submitted)
    wait = preferred_wait(prefer)
    if wait:
        job = await wait_for(resources, notifier, job, wait, lambda fresh: fresh.is_terminal)
        headers |= preference_applied(prefer)
    status = 200 if wait and job.is_terminal else 202
    if status == 202:  # noqa: PLR2004
        headers["Retry-After"] = "1"
    return json_response(job_json(job), status=status, headers=headers)


def _headers_of(submitted: Submitted) -> dict[str, str]:
    headers = {"Location": f"/api/v1/jobs/{submitted.job.id}"}
    if submitted.replayed:
        headers |= REPLAYED
    return headers


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


@router.get("", response_model=JobPage, dependencies=[needs(Right.READ)])
def get_jobs(
    caller: Caller,
    resources: WithResources,
    page: WithPage,
    state: Annotated[list[JobState] | None, Query(max_length=10)] = None,
    kind: Annotated[list[_Kind] | None, Query(max_length=20)] = None,
    label: Annotated[list[_Label] | None, Query(max_length=20, description="key:value")] = None,
    parent_id: UUID | None = None,
    created_after: Instant | None = None,
    created_before: Instant | None = None,
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


@router.get("/{job_id}", response_model=JobAnswer, dependencies=[needs(Right.READ)])
async def get_one(
    job_id: UUID,
    caller: Caller,
    resources: WithResources,
    desk: WithDesk,
    notifier: WithNotifier,
    wait: Annotated[float, Query(ge=0, le=60)] = 0,
    if_version: int | None = None,
    prefer: Prefer = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """One job. With `wait` it answers when the job has ended or its version passed `if_version`."""
    job = await desk.read(caller.project_id, job_id)
    seconds = wait or preferred_wait(prefer) or 0.0
    if seconds:

        def done(fresh: Job) -> bool:
            return fresh.is_terminal or (if_version is not None and fresh.version > if_version)

        job = await wait_for(resources, notifier, job, seconds, done)
    return _shown(job, if_none_match)


def _shown(job: Job, if_none_match: str | None) -> Response:
    headers = {"ETag": etag_of(job)}
    if if_none_match == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return json_response(job_json(job), headers=headers)


@router.get("/{job_id}/artifacts", dependencies=[needs(Right.READ)])
def artifacts(job_id: UUID, caller: Caller, resources: WithResources) -> Response:
    """Files that the job made; download them by /files/{id}/content."""
    get_job(resources.database, caller.project_id, job_id)
    with resources.database.session() as session:
        rows = session.query(FileRow).where(FileRow.job_id == job_id).order_by(FileRow.id).all()
    return json_response({"items": [file_json(row) for row in rows]})


@router.get("/{job_id}/attempts", dependencies=[needs(Right.READ)])
def attempts(job_id: UUID, caller: Caller, resources: WithResources) -> Response:
    get_job(resources.database, caller.project_id, job_id)
    return json_response({"items": list_attempts(resources.database, job_id)})


@router.get("/{job_id}/chunks", dependencies=[needs(Right.READ)])
def chunks(job_id: UUID, caller: Caller, resources: WithResources) -> Response:
    """Of a divided job: each part with its state."""
    get_job(resources.database, caller.project_id, job_id)
    return json_response({"items": list_chunks(resources.database, job_id)})


# ---- the same without the framework (api/short_cuts.py)


def short_cuts(prefix: str) -> ShortPaths:
    """Submit and poll, under the path where the routes are."""
    jobs = f"{prefix}{router.prefix}"
    return ShortPaths(
        exact={("POST", jobs): Short(_submit_short, "/jobs")},
        below={("GET", jobs): Short(_get_short, "/jobs/{job_id}")},
    )


async def _submit_short(request: Request, body: bytes) -> Response | None:
    caller, key = (
        recent_caller(request, Right.JOBS_WRITE),
        request.headers.getlist("idempotency-key"),
    )
    if caller is None or len(key) > 1 or not all(8 <= len(text) <= 255 for text in key):  # noqa: PLR2004
        return None
    asked = ordinary_body(request, body, _JOB_REQUEST)
    if asked is None:
        return None
    desk: JobDesk = request.app.state.desk
    submitted = await desk.submit(caller, _submission(asked), key[0] if key else None)
    headers = {**_headers_of(submitted), "Retry-After": "1"}
    return json_response(job_json(submitted.job), status=202, headers=headers)


_JOB_REQUEST: TypeAdapter[JobFields] = TypeAdapter(JobRequest)


async def _get_short(request: Request, body: bytes) -> Response | None:
    del body
    caller, text = recent_caller(request, Right.READ), request.scope["path"].rpartition("/")[2]
    if caller is None or "prefer" in request.headers or not _ID.fullmatch(text):
        return None
    desk: JobDesk = request.app.state.desk
    job = await desk.read(caller.project_id, UUID(text))
    return _shown(job, request.headers.get("if-none-match"))


_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
