"""Routes of the server in memory: a table of templates."""

import re
from collections.abc import Callable
from typing import Any

import httpx

from retort.testing.state import Asked, Json, State

Answer = Json | httpx.Response
Handler = Callable[..., Answer]

#: (method, template as in the OpenAPI document, pattern, handler)
ROUTES: list[tuple[str, str, re.Pattern[str], Handler]] = []


def route(method: str, template: str) -> Callable[[Handler], Handler]:
    """`template` with {names}; `{path:path}` takes slashes too."""
    pattern = re.sub(r"{(\w+):path}", r"(?P<\1>.+)", template)
    pattern = re.sub(r"(?<!\?P<){(\w+)}", r"(?P<\1>[^/]+)", pattern)

    def register(handler: Handler) -> Handler:
        shown = template.replace(":path}", "}")
        ROUTES.append((method, shown, re.compile(pattern), handler))
        return handler

    return register


def match(method: str, path: str) -> tuple[str, Handler, dict[str, str]] | None:
    """(template, handler, names); the first that fits, so special paths come first."""
    for known, template, pattern, handler in ROUTES:
        if known == method and (found := pattern.fullmatch(path)) is not None:
            return template, handler, found.groupdict()
    return None


def respond(
    body: Any = None, status: int = 200, headers: dict[str, str] | None = None
) -> httpx.Response:
    if body is None:
        return httpx.Response(status, headers=headers)
    return httpx.Response(status, json=body, headers=headers)


__all__ = ["ROUTES", "Asked", "State", "match", "respond", "route"]
