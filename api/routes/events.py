"""The event log: page by page, newest first, or as server-sent events from any place on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Header, Query, Response
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.dependencies import Caller, WithResources
from api.paging import WithPage
from api.rights import Guarded, needs
from api.schemas.event import EventPage
from api.schemas.problem import PROBLEMS
from app.access.rights import Right
from app.core.errors import UnknownName
from app.core.names import near, shown
from app.core.requests import Instant
from app.db.database import Database
from app.events.envelope import Event, envelope
from app.events.publisher import last_published
from app.events.reading import Wanted, following, newest, place_since
from app.events.types import TYPES

router = APIRouter(route_class=Guarded, prefix="/events", tags=["events"], responses=PROBLEMS)

#: how often a stream looks for more; events are published about once a second
_TICK_SECONDS = 0.5
_HEARTBEAT_SECONDS = 15
#: of a bigint, whatever they are
_PLACE_DIGITS = 18

_Text = Annotated[str | None, Query(max_length=200)]


def wanted(
    caller: Caller,
    type: Annotated[list[str] | None, Query(max_length=50)] = None,  # noqa: A002 - the field's name
    subject: _Text = None,
    correlation_id: _Text = None,
    since: Instant | None = None,
) -> Wanted:
    """`type` may be repeated. Raises UnknownName for one that does not exist."""
    for name in type or ():
        check_type(name)
    return Wanted(
        project_id=caller.project_id,
        types=tuple(type or ()),
        subject=subject,
        correlation_id=correlation_id,
        since=since,
    )


def check_type(name: str) -> None:
    if name not in TYPES:
        nearest = near(name, TYPES)
        raise UnknownName(
            f"there is no event type {shown(name)}",
            remedy=f"Did you mean {', '.join(nearest)}?" if nearest else "GET /schemas lists them.",
        )


WithWanted = Annotated[Wanted, Depends(wanted)]


@router.get("", response_model=EventPage, dependencies=[needs(Right.READ)])
def get_events(resources: WithResources, asked: WithWanted, page: WithPage) -> Response:
    """Newest first: what happened in the project. `subject` as in jobs/<id>, `since` an RFC 3339
    time. `newest_seq` may be sent to the stream as Last-Event-ID.
    """
    with resources.database.cursor() as cursor:
        last = last_published(cursor)
        found = newest(cursor, asked, limit=page.rows, before=page.before_number)
    items = [envelope(event) for event in found[: page.limit]]
    end = found[page.limit - 1].seq if len(found) > page.limit else None
    return page.answer_until(items, end, newest_seq=last)


@router.get(
    "/stream",
    responses={200: {"content": {"text/event-stream": {}}}},
    dependencies=[needs(Right.READ)],
)
async def follow(
    resources: WithResources,
    asked: WithWanted,
    last_event_id: Annotated[str | None, Header(max_length=40)] = None,
) -> EventSourceResponse:
    """Server-sent events without end: `event` is the type, `data` the envelope, `id` the place in
    the log. It begins behind `Last-Event-ID`, else at `since`, else now.
    """
    place = await run_in_threadpool(_begin, resources.database, last_event_id, asked.since)
    return EventSourceResponse(_stream(resources.database, asked, place), ping=_HEARTBEAT_SECONDS)


def _begin(database: Database, last_event_id: str | None, since: datetime | None) -> int:
    if last_event_id and last_event_id.isdecimal() and len(last_event_id) <= _PLACE_DIGITS:
        return int(last_event_id)
    with database.cursor() as cursor:
        return last_published(cursor) if since is None else place_since(cursor, since)


async def _stream(database: Database, asked: Wanted, place: int) -> AsyncIterator[ServerSentEvent]:
    while True:
        found, place = await run_in_threadpool(following, database, asked, after=place)
        for event in found:
            yield _sent(event)
        if not found:
            await asyncio.sleep(_TICK_SECONDS)


def _sent(event: Event) -> ServerSentEvent:
    data = orjson.dumps(envelope(event)).decode()
    return ServerSentEvent(data, event=event.type, id=str(event.seq))
