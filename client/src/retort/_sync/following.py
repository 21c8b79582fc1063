# made of _async/following.py by client/generate_sync.py: change that one
"""Events of a job, picked up after every break."""

from collections.abc import Generator, Iterator
from types import TracebackType
from typing import Self

import httpx

from retort._sync.transport import Transport
from retort.patience import backoff
from retort.stream import TERMINAL, Event, EventParser


class Follow:
    """Every event once, in order, until the job has ended; iterator and context manager."""

    def __init__(self, transport: Transport, job_id: str) -> None:
        self._events = events(transport, job_id)

    def __iter__(self) -> Iterator[Event]:
        return self._events

    def __next__(self) -> Event:
        return self._events.__next__()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._events.close()


def events(transport: Transport, job_id: str) -> Generator[Event, None]:
    """A broken stream is picked up where it broke. Raises RetortError if the server stays away."""
    last: str | None = None
    while True:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        parser = EventParser()
        try:
            with transport.stream(
                "GET", f"/jobs/{job_id}/events", headers=headers, timeout=60.0
            ) as response:
                if response.is_success:
                    for line in response.iter_lines():
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
        job = transport.json("GET", f"/jobs/{job_id}")
        if job["state"] in TERMINAL:
            found = transport.json("GET", f"/jobs/{job_id}/events", params={"after": last or 0})
            for item in found["items"]:
                yield Event(type=item["type"], data=item, id=str(item["id"]))
            return
        transport.sleep(backoff(1))
