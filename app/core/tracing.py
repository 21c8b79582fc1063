"""Spans, when RETORT_OTLP_ENDPOINT names somebody to tell; else nothing, at the cost of one `if`.

This module imports nothing of OpenTelemetry: `app/core/otlp.py` does, and is imported only by
`start_tracing` with an endpoint. A job's trace goes on in other processes through the W3C
`traceparent` that its row keeps, so that a message is as it was and the release before reads it.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from app.core.settings import Settings

if TYPE_CHECKING:
    from app.core.otlp import Tracing

logger = logging.getLogger(__name__)

Attribute = str | int | float | bool
Kind = Literal["internal", "server", "producer", "consumer"]

_tracing: "Tracing | None" = None


class Span:
    """What is open, or would be: attributes may be added until it ends."""

    def set(self, **attributes: Attribute | None) -> None:
        """Names as `http_route`, told as `http.route`; None: left out."""

    def rename(self, name: str) -> None:
        """When it is known only later what this is."""


_NOTHING = Span()


def start_tracing(settings: Settings, *, role: str) -> bool:
    """Whether spans of this process are told from now on. Called after a fork, never before: the
    thread that sends them would stay behind.
    """
    global _tracing  # noqa: PLW0603 - one for each process, as OpenTelemetry itself has it
    if not settings.otlp_endpoint or _tracing is not None:
        return _tracing is not None
    try:
        from app.core.otlp import Tracing
    except ImportError as error:
        logger.error(  # noqa: TRY400 - the sentence says it all
            "no traces: RETORT_OTLP_ENDPOINT is set, but %s is not installed; install the extra"
            " `otel` of retort-server",
            error.name,
        )
        return False
    _tracing = Tracing(settings, role=role)
    return True


def stop_tracing() -> None:
    """Send what has gathered."""
    global _tracing  # noqa: PLW0603 - see above
    if _tracing is not None:
        _tracing.close()
        _tracing = None


def is_tracing() -> bool:
    return _tracing is not None


@contextmanager
def span(
    name: str,
    *,
    kind: Kind = "internal",
    traceparent: str | None = None,
    **attributes: Attribute | None,
) -> Iterator[Span]:
    """A span around the block, below `traceparent` or else below what is open here. An exception
    that leaves the block is its status.
    """
    if _tracing is None:
        yield _NOTHING
        return
    with _tracing.span(name, kind, traceparent, told(attributes)) as opened:
        yield opened


def record(
    name: str,
    since: int,
    *,
    kind: Kind = "internal",
    traceparent: str | None = None,
    **attributes: Attribute | None,
) -> None:
    """A span that ends now and began at `since` (nanoseconds of `time.time_ns`)."""
    if _tracing is not None:
        _tracing.record(name, kind, traceparent, told(attributes), since, time.time_ns())


def current_traceparent() -> str | None:
    """Of the span that is open here, for a job's row; None: no span, or one that is not kept."""
    return None if _tracing is None else _tracing.current_traceparent()


def told(attributes: Mapping[str, Attribute | None]) -> dict[str, Attribute]:
    """{as OpenTelemetry names it: value}: `_` stands for a dot, `__` for an underscore."""
    return {
        name.replace("__", "\0").replace("_", ".").replace("\0", "_"): value
        for name, value in attributes.items()
        if value is not None
    }
