"""What the routes of every system that Retort replaces have in common: they wait for their job for
a while, then answer its end, or say where to ask for it.
"""

import re
from collections.abc import Mapping
from typing import Any

from fastapi import Response
from starlette.concurrency import run_in_threadpool

from api.notifier import JobNotifier
from api.responses import json_response, preferred_wait
from api.routes.jobs import wait_for
from app.core.errors import JobCancelled, RetortError
from app.jobs.model import Job
from app.jobs.store import get_job
from app.resources import Resources
from workers.interactive import AnsweredError

#: of a request that does not say
WAIT_SECONDS = 25.0
_ASYNC = re.compile(r"\brespond-async\b")


def seconds_to_wait(prefer: str | None, usual: float | None = None) -> float:
    """`Prefer: wait=N` or `respond-async` (RFC 7240); neither: `usual`, which is WAIT_SECONDS."""
    said = preferred_wait(prefer)
    if said is not None:
        return said
    if _ASYNC.search(prefer or ""):
        return 0.0
    return WAIT_SECONDS if usual is None else usual


async def followed(
    resources: Resources,
    notifier: JobNotifier,
    job: Job,
    prefer: str | None = None,
    *,
    usual: float | None = None,
) -> Job:
    """The job as soon as it has ended, or as it is when the time is over. In the place of one that
    failed because its ingest did: that one, whose error says why.
    """
    seconds = seconds_to_wait(prefer, usual)
    job = await wait_for(resources, notifier, job, seconds, lambda fresh: fresh.is_terminal)
    return await run_in_threadpool(_cause, resources, job) if job.is_terminal else job


def _cause(resources: Resources, job: Job) -> Job:
    if (job.error or {}).get("code") != "dependency_failed":
        return job
    needed = [get_job(resources.database, job.project_id, need) for need in job.needs]
    return next((need for need in needed if need.error is not None), job)


def asked_again(
    body: Mapping[str, Any], location: str, headers: Mapping[str, str] | None = None
) -> Response:
    """202: it goes on; `location` answers as the route would."""
    told = {"Location": location, "Retry-After": "1", **(headers or {})}
    return json_response(body, status=202, headers=told)


def failure_of(job: Job) -> RetortError:
    """What a job failed of, to be raised."""
    problem: Any = job.error
    if problem is None:
        return JobCancelled(f"the {job.kind} job was {job.state.value}")
    return AnsweredError(problem)
