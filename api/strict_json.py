"""JSON bodies are read once, strictly, before a route sees them.

Python's parser takes NaN, Infinity and numbers beyond a double, zero characters, half of a
surrogate pair and any depth; Postgres and the arithmetic behind it do not.
"""

from typing import Any
from urllib.parse import unquote

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem_response
from app.core.errors import InvalidInput, RetortError
from app.core.masking import holds_key
from app.core.origin import keep_body

_MAX_DEPTH = 64
_ZERO = "\x00"


class MalformedBody(RetortError):
    code = "malformed_body"


class StrictJson:
    """Raises MalformedBody where a route asks for a JSON body that is none; refuses zero characters
    in the path and the query.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refused = _refused_address(scope["path"], scope["query_string"])
        if refused is not None:
            await problem_response(Request(scope), refused.problem())(scope, receive, send)
            return
        await self._app(scope, _checked(receive) if _is_json(scope) else receive, send)


def _refused_address(path: str, query: bytes) -> InvalidInput | None:
    address = f"{path}?{unquote(query.decode('latin-1'))}" if query else path
    if _ZERO in address:
        return InvalidInput("the address holds a zero character (%00)")
    if holds_key(address):
        return _KeyInRequest("the address holds an API key")
    return None


class _KeyInRequest(InvalidInput):
    """Every proxy writes addresses down, and what a body says is stored and shown to others."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            detail,
            remedy="Send it in the header Authorization alone, and replace this one: others have"
            " read it.",
        )


def check_json(body: bytes) -> None:
    """Raises MalformedBody saying where; InvalidInput for a body that holds an API key or a zero
    character, which no text of ours may hold.
    """
    if not body:
        return
    if b"rt_" in body and holds_key(body.decode("utf-8", "replace")):
        raise _KeyInRequest("the body holds an API key")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedBody(f"the body is no JSON: {error}") from error
    # cheap signs first: nearly no body needs to be walked through
    if body.count(b"[") + body.count(b"{") > _MAX_DEPTH or b"\\u0000" in body:
        _check_values(value)


def _check_values(value: Any) -> None:
    left = [(value, 1)]
    while left:
        here, depth = left.pop()
        if isinstance(here, str) and _ZERO in here:
            raise InvalidInput("the body holds a zero character (\\u0000)")
        if isinstance(here, dict | list):
            if depth > _MAX_DEPTH:
                raise MalformedBody(f"the body is nested deeper than {_MAX_DEPTH} levels")
            inner = here if isinstance(here, list) else [*here, *here.values()]
            left += [(entry, depth + 1) for entry in inner]


def _is_json(scope: Scope) -> bool:
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    json = kind == "application/json" or kind.endswith("+json")
    # a part of an upload is bytes, whatever they are said to be
    return json and not (scope["method"] == "PUT" and "/parts/" in scope["path"])


def _checked(receive: Receive) -> Receive:
    """The whole body in one message; the limit of its size is enforced below."""
    read = False

    async def whole() -> Message:
        nonlocal read
        if read:
            return await receive()
        parts: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return message
            parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                break
        read = True
        body = b"".join(parts)
        check_json(body)
        keep_body(body)
        return {"type": "http.request", "body": body, "more_body": False}

    return whole
