"""Ids that every log line of a piece of work carries, whoever writes the line.

A request's or an attempt's ids lie in a context variable, which coroutines and the thread pool
inherit. A process that works on one attempt at a time also keeps them for itself as a whole,
because threads that a library starts inherit nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Field = str | int

_NONE: Mapping[str, Field] = {}
_OF_CONTEXT: ContextVar[Mapping[str, Field]] = ContextVar("retort_log_fields", default=_NONE)
_of_process: dict[str, Field] = {}


def log_fields() -> dict[str, Field]:
    """What a line that is written here and now carries."""
    return {**_of_process, **_OF_CONTEXT.get()}


def name_process(role: str) -> None:
    """`gateway`, `worker`, `child`, ...: in every line of this process."""
    _of_process["role"] = role


def bind(**fields: Field | None) -> None:
    """Until this context ends: of a request, whose task ends with it."""
    _OF_CONTEXT.set({**_OF_CONTEXT.get(), **_known(fields)})


@contextmanager
def bound(**fields: Field | None) -> Iterator[None]:
    """While it is open, lines of this context carry `fields` too; None: that one is not known."""
    token = _OF_CONTEXT.set({**_OF_CONTEXT.get(), **_known(fields)})
    try:
        yield
    finally:
        _OF_CONTEXT.reset(token)


@contextmanager
def bound_in_process(**fields: Field | None) -> Iterator[None]:
    """Likewise for every thread of this process, which does nothing else meanwhile."""
    known = _known(fields)
    _of_process.update(known)
    try:
        yield
    finally:
        for name in known:
            _of_process.pop(name, None)


def _known(fields: Mapping[str, Field | None]) -> dict[str, Field]:
    return {name: value for name, value in fields.items() if value is not None}
