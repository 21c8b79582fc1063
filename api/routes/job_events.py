"""A job's log: as a list, or streamed as server-sent events until the job has ended."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

import orjson
from fastapi import APIRouter, Header, Query, Response
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.dependencies import Caller, WithNotifier, WithResources
from api.notifier import JobNotifier
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.problem import PROBLEMS
from app.access.rights import Right
from app.db.database import Database
from app.jobs.model import Job, JobEvent
from app.jobs.store import get_job, list_events

router = APIRouter(route_class=Guarded, prefix="/jobs", tags=["jobs"], responses=PROBLEMS)

#: at most two progress events a second
_TICK_SECONDS = 0.5
_HEARTBEAT_SECONDS = 15


@router.get(
    "/{job_id}/events",
    responses={200: {"content": {"text/event-stream": {}, "application/json": {}}}},
    dependencies=[needs(Right.READ)],
)
async def events(
    job_id: UUID,
    caller: Caller,
    resources: WithResources,
    notifier: WithNotifier,
    accept: Annotated[str, Header()] = "application/json",
    last_event_id: Annotated[str | None, Header()] = None,
    after: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """`Accept: text/event-stream`: ids are event ids, `Last-Event-ID` resumes; `progress` events
    have no id. Otherwise a JSON list of at most 500 events after `after`.
    """
    database = resources.database
    job = await run_in_threadpool(get_job, database, caller.project_id, job_id)
    since = int(last_event_id) if last_event_id and last_event_id.isdigit() else after
    if "text/event-stream" not in accept:
        found = await run_in_threadpool(list_events, database, job_id, after_id=since)
        return json_response({"items": [_plain(event) for event in found]})
    return EventSourceResponse(_stream(database, notifier, job, since), ping=_HEARTBEAT_SECONDS)


async def _stream(
    database: Database, notifier: JobNotifier, job: Job, since: int
) -> AsyncIterator[ServerSentEvent]:
    """Events in order, progress when it changed, until the terminal state was told."""
    told = None
    with notifier.subscribe(str(job.id)) as changed:
        while True:
            changed.clear()
            # the row first: whatever it says has its events in the log already
            fresh = await run_in_threadpool(get_job, database, job.project_id, job.id)
            found = await run_in_threadpool(list_events, database, job.id, after_id=since)
            for event in found:
                since = event.id
                yield ServerSentEvent(_json(_plain(event)), event=event.type, id=str(event.id))
            if fresh.progress and fresh.progress != told:
                told = fresh.progress
                yield ServerSentEvent(_json(told), event="progress")
            if fresh.is_terminal and not found:
                return
            if not found:
                try:
                    await asyncio.wait_for(changed.wait(), _TICK_SECONDS)
                except TimeoutError:
                    continue  # look at the row anyway


def _plain(event: JobEvent) -> dict[str, object]:
    return {"id": event.id, "at": event.at, "type": event.type, "data": event.data}


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()
