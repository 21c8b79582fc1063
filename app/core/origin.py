"""Where the work of this moment was asked for: kept beside the call, so that nobody passes it on.

The gateway sets it for every request; work that nobody asked for over HTTP has none. Threads that
are started for a request see the request's own (contextvars are copied); whoever hands work to a
thread that serves many requests takes `current_origin()` along.
"""

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.core.masking import mask_secrets

_MAX_USER_AGENT = 200


@dataclass(kw_only=True, slots=True)
class Origin:
    """Of one request."""

    request_id: str | None = None
    #: the peer's address, as the server knows it
    ip: str | None = None
    #: reads the header when it is needed: most requests leave no entry
    read_user_agent: Callable[[], str | None] = lambda: None
    #: (action, resource) in the words of the audit log, once the route is known
    read_route: Callable[[], tuple[str, str]] = lambda: ("", "")
    #: a change that it makes is to be found in the audit log
    writes: bool = False
    #: who asks, once that is known
    project_id: UUID | None = None
    principal: str | None = None
    #: JSON as it came
    body: bytes = b""
    #: what the entry is to tell beside what the request says
    before: Any = None
    details: dict[str, Any] = field(default_factory=dict)
    #: entries that its transactions have written
    recorded: int = 0

    @property
    def pending(self) -> bool:
        """It may change something, and no entry tells of it yet."""
        return self.writes and self.recorded == 0 and self.principal is not None

    @property
    def user_agent(self) -> str | None:
        found = self.read_user_agent()
        return None if found is None else mask_secrets(found[:_MAX_USER_AGENT])


_current: ContextVar[Origin | None] = ContextVar("origin", default=None)


def current_origin() -> Origin | None:
    return _current.get()


def set_origin(origin: Origin | None) -> None:
    """For this context and those that are copied from it from now on."""
    _current.set(origin)


def keep_body(body: bytes) -> None:
    """JSON as it came, when the request may change something."""
    origin = _current.get()
    if origin is not None and origin.writes:
        origin.body = body
