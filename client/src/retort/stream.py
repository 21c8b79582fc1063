"""Server-sent events of a job, resumed after every break."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from retort.transport import Transport

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, kw_only=True)
class Event:
    """`type` is state, progress, metric, message, ...; `data` the server's JSON."""

    type: str
    data: dict[str, Any]
    id: str | None = None

    @property
    def ends(self) -> bool:
        return self.type == "state" and self.data.get("data", {}).get("state") in TERMINAL


def parse(lines: Iterator[str]) -> Iterator[Event]:
    """The SSE format (WHATWG): fields until a blank line; comments are heartbeats."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in fields:
                yield Event(
                    type=fields.get("event", "message"),
                    data=json.loads(fields["data"]),
                    id=fields.get("id"),
                )
            fields = {}
            continue
        name, _, value = line.partition(":")
        if name:
            value = value.removeprefix(" ")
            more = name == "data" and name in fields
            fields[name] = f"{fields[name]}\n{value}" if more else value


def follow(transport: Transport, job_id: str) -> Iterator[Event]:
    """Every event once, in order, until the job has ended; a broken stream is picked up where it
    broke. Raises RetortError when the server stays away.
    """
    last: str | None = None
    while True:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        try:
            with transport.http.stream(
                "GET", f"/jobs/{job_id}/events", headers=headers, timeout=60.0
            ) as response:
                if response.is_success:
                    for event in parse(response.iter_lines()):
                        last = event.id or last
                        yield event
                        if event.ends:
                            return
        except httpx.TransportError:
            last = last or None  # the next look says whether the server is back
        # patient: retries while the gateway restarts; raises what a plain request would
        job = transport.json("GET", f"/jobs/{job_id}")
        if job["state"] in TERMINAL and last is not None:
            events = transport.json("GET", f"/jobs/{job_id}/events", params={"after": last})
            for found in events["items"]:
                yield Event(type=found["type"], data=found, id=str(found["id"]))
            return
