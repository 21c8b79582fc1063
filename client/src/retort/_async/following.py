"""Events of a job, picked up after every break."""

from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import Self

import httpx

from retort._async.transport import AsyncTransport
from retort.patience import backoff
from retort.stream import TERMINAL, Event, EventParser


class AsyncFollow:
    """Every event once, in order, until the job has ended; iterator and context manager."""

    def __init__(self, transport: AsyncTransport, job_id: str) -> None:
        self._events = events(transport, job_id)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self._events

    async def __anext__(self) -> Event:
        return await self._events.__anext__()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._events.aclose()


async def events(transport: AsyncTransport, job_id: str) -> AsyncGenerator[Event, None]:
    """A broken stream is picked up where it broke. Raises RetortError if the server stays away."""
    last: str | None = None
    while True:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        parser = EventParser()
        try:
            async with transport.stream(
                "GET", f"/jobs/{job_id}/events", headers=headers, timeout=60.0
            ) as response:
                if response.is_success:
                    async for line in response.aiter_lines():
                        event = parser.feed(line)
                        if event is None:
                            continue
                        last = event.id or last
                        yield event
                        if event.ends:
                            return
        except httpx.TransportError:
            last = last or None  # the next look says whether the server is back
        # patient: retries while the gateway restarts; raises what a plain request would
        job = await transport.json("GET", f"/jobs/{job_id}")
        if job["state"] in TERMINAL:
            found = await transport.json(
                "GET", f"/jobs/{job_id}/events", params={"after": last or 0}
            )
            for item in found["items"]:
                yield Event(type=item["type"], data=item, id=str(item["id"]))
            return
        await transport.sleep(backoff(1))
