"""Server-sent events of a job, as values."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, kw_only=True)
class Event:
    """`type` is state, progress, metric, message, ...; `data` the server's JSON."""

    type: str
    data: dict[str, Any]
    id: str | None = None

    @property
    def ends(self) -> bool:
        return self.type == "state" and self.state in TERMINAL

    @property
    def state(self) -> str | None:
        """The state that the job entered; None for what is no change of state."""
        return (self.data.get("data") or {}).get("state") if self.type == "state" else None


class EventParser:
    """The SSE format (WHATWG): fields until a blank line; comments are heartbeats."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def feed(self, line: str) -> Event | None:
        """The event that this line (without its end) completes."""
        if not line:
            fields, self._fields = self._fields, {}
            if "data" not in fields:
                return None
            return Event(
                type=fields.get("event", "message"),
                data=json.loads(fields["data"]),
                id=fields.get("id"),
            )
        name, _, value = line.partition(":")
        if name:
            value = value.removeprefix(" ")
            more = name == "data" and name in self._fields
            self._fields[name] = f"{self._fields[name]}\n{value}" if more else value
        return None


def parse(lines: Iterator[str]) -> Iterator[Event]:
    """Every event of a whole stream."""
    parser = EventParser()
    for line in lines:
        if (event := parser.feed(line)) is not None:
            yield event
