"""The hottest requests, answered before the framework's routing, dependencies and validation.

FastAPI's own way costs more than what these requests ask for (docs/decisions/0014). A short cut
takes the ordinary request only. It looks, and says None to whatever it does not know by heart: an
invalid body, a header it does not read, a caller not seen lately. That goes the whole way as if
nobody had looked, so that there is one place where a request is refused, and one document that
describes it.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.strict_json import MalformedBody, check_json

T = TypeVar("T")

#: where the scope names the route that was answered so
SHORT_ROUTE = "retort.short_route"
#: larger bodies go the whole way: reading them costs more than the framework does
MAX_BODY = 65_536

#: gets the request and its body; None: go the whole way. What it raises is answered as a route's
ShortCut = Callable[[Request, bytes], Awaitable[Response | None]]


class Short(NamedTuple):
    answer: ShortCut
    #: the template of the route that it stands for, as FastAPI calls it
    route: str


def ordinary_body(request: Request, body: bytes, kind: TypeAdapter[T]) -> T | None:
    """What a plain JSON body says; None for one that is refused, another media type, `Prefer`."""
    headers = request.headers
    if headers.get("content-type") != "application/json" or "prefer" in headers:
        return None
    try:
        check_json(body)
        return kind.validate_python(json.loads(body))
    except (MalformedBody, ValueError):  # the whole way says what is wrong
        return None


@dataclass(frozen=True, kw_only=True)
class ShortPaths:
    """Method and path: exactly, or with one segment more (an id)."""

    exact: Mapping[tuple[str, str], Short]
    below: Mapping[tuple[str, str], Short]

    def __or__(self, other: "ShortPaths") -> "ShortPaths":
        return ShortPaths(exact={**self.exact, **other.exact}, below={**self.below, **other.below})

    def find(self, scope: Scope) -> Short | None:
        if scope["query_string"] or scope.get("root_path"):
            return None
        method, path = scope["method"], scope["path"]
        return self.exact.get((method, path)) or self.below.get((method, path.rpartition("/")[0]))


class ShortCuts:
    def __init__(self, app: ASGIApp, paths: ShortPaths, *, max_body: int) -> None:
        self._app = app
        self._paths = paths
        self._max_body = min(max_body, MAX_BODY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        short = self._paths.find(scope) if scope["type"] == "http" else None
        response: Response | None = None
        if short is not None:
            scope[SHORT_ROUTE] = short.route
            seen: list[Message] = []
            whole = True
            if scope["method"] == "POST":
                seen, whole = await _read(receive, self._max_body)
            if whole:
                body = b"".join(message.get("body", b"") for message in seen)
                response = await _answer(short.answer, Request(scope), body)
            receive = _again(seen, receive)
        await (response or self._app)(scope, receive, send)


async def _answer(short_cut: ShortCut, request: Request, body: bytes) -> Response | None:
    """With the application's own answers to what is raised."""
    try:
        return await short_cut(request, body)
    except Exception as error:
        for kind in type(error).__mro__:
            if kind is Exception:
                break
            handler = request.app.exception_handlers.get(kind)
            if handler is not None:
                answer: Response = handler(request, error)
                return answer
        raise  # to the handler of what nobody expected


async def _read(receive: Receive, most: int) -> tuple[list[Message], bool]:
    """The body's messages, and whether they are all and hold no more than `most` bytes."""
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > most or message["type"] != "http.request":
            return messages, False
        if not message.get("more_body", False):
            return messages, True


def _again(messages: list[Message], receive: Receive) -> Receive:
    left = iter(messages)

    async def replayed() -> Message:
        message = next(left, None)
        return await receive() if message is None else message

    return replayed
