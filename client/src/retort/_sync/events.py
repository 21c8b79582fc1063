# made of _async/events.py by client/generate_sync.py: change that one
"""What happened in the project: the event log, page by page or as it grows."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx

from retort._sync.transport import Transport
from retort.answers import moment
from retort.patience import backoff
from retort.records import Json
from retort.stream import Event, EventParser

if TYPE_CHECKING:
    from retort._sync.client import Retort


class Events:
    """Events are CloudEvents 1.0: {"id", "type", "subject", "time", "data", ...}."""

    def __init__(self, client: "Retort") -> None:
        self._client = client

    @property
    def _transport(self) -> Transport:
        return self._client.transport

    def list(
        self,
        *,
        type: str | Sequence[str] | None = None,  # noqa: A002 - the server's word
        subject: str | None = None,
        correlation_id: str | None = None,
        since: str | datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[Json]:
        """Newest first; `subject` as in jobs/<id>."""
        asked = _query(type, subject, correlation_id, since)
        for item in self._transport.pages("/events", {**asked, "limit": limit}):
            yield item

    def follow(
        self,
        *,
        type: str | Sequence[str] | None = None,  # noqa: A002 - the server's word
        subject: str | None = None,
        correlation_id: str | None = None,
        since: str | datetime | None = None,
        last_id: str | None = None,
    ) -> Iterator[Event]:
        """As they happen, without end: `event.data` is the envelope. It begins behind `last_id`
        (the `id` of an event of this stream), else at `since`, else now; a broken stream is picked
        up where it broke.
        """
        asked = {k: v for k, v in _query(type, subject, correlation_id, since).items() if v}
        last, failures = last_id, 0
        while True:
            if last is None and since is None:
                # from here on nothing is missed, however often the stream breaks
                newest = self._transport.json("GET", "/events", params={"limit": 1})
                last = str(newest["newest_seq"])
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
            parser = EventParser()
            try:
                with self._transport.stream(
                    "GET", "/events/stream", params=asked, headers=headers, timeout=60.0
                ) as response:
                    if not response.is_success:
                        # says why; or the server is back
                        self._transport.json("GET", "/events", params={**asked, "limit": 1})
                    for line in response.iter_lines():
                        event = parser.feed(line)
                        if event is not None:
                            last, failures = event.id or last, 0
                            yield event
            except httpx.TransportError:
                failures += 1
            self._transport.sleep(backoff(min(failures + 1, 6)))

    def types(self) -> Sequence[Json]:
        """Every type, and whether this server sends it."""
        found: Json = self._transport.json("GET", "/schemas")
        items: Sequence[Json] = found["items"]
        return items

    def schema(self, type: str, version: int = 1) -> Json:  # noqa: A002 - the server's word
        """JSON Schema of the whole envelope. Raises NotFound."""
        found: Json = self._transport.json("GET", f"/schemas/{type}/{version}")
        return found

    def asyncapi(self) -> Json:
        """The API 3 document."""
        found: Json = self._transport.json("GET", "/asyncapi.json")
        return found


def _query(
    type_: str | Sequence[str] | None,
    subject: str | None,
    correlation_id: str | None,
    since: str | datetime | None,
) -> dict[str, Any]:
    types = [type_] if isinstance(type_, str) else list(type_ or ())
    return {
        "type": types or None,
        "subject": subject,
        "correlation_id": correlation_id,
        "since": None if since is None else moment(since),
    }
