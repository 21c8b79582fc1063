"""What surrounds every request, as plain ASGI: request id, body limit, security headers."""

import re
import time
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.security_headers import SecurityHeaders
from api.short_cuts import SHORT_ROUTE
from api.telemetry import Telemetry
from api.trail import origin_of
from app.core.log_fields import bind
from app.core.masking import holds_key
from app.core.origin import set_origin
from app.core.settings import Settings
from app.files.layout import largest_part

_SAFE_ID = 64
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class RequestFrame:
    """Echoes X-Request-ID (or makes one), adds the security headers, and counts."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, *, hsts_seconds: int) -> None:
        self._app = app
        self._telemetry = telemetry
        self._security = SecurityHeaders(hsts_seconds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given_headers = Headers(scope=scope)
        given = given_headers.get("x-request-id", "")
        usable = 0 < len(given) <= _SAFE_ID and given.isascii() and given.isprintable()
        usable = usable and not holds_key(given)  # it goes into logs and the audit log
        request_id = given if usable else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        set_origin(origin_of(scope, given_headers, request_id))
        bind(request_id=request_id)
        started = time.perf_counter()

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                if (rate := scope["state"].get("rate")) is not None:
                    MutableHeaders(scope=message).update(rate.headers)
                self._security.add(message, scope["scheme"], request_id)
                self._count(scope, message["status"], started)
            await send(message)

        try:
            await self._app(scope, receive, framed)
        except Exception:  # answered outside of this
            self._count(scope, 500, started)
            raise

    def _count(self, scope: Scope, status: int, started: float) -> None:
        seconds = time.perf_counter() - started
        self._telemetry.request(method_of(scope), route_of(scope), status, seconds)


def method_of(scope: Scope) -> str:
    """A client may invent methods; labels are for those that there are."""
    return scope["method"] if scope["method"] in _METHODS else "other"


def route_of(scope: Scope) -> str:
    route = scope.get("route")
    return getattr(route, "path_format", None) or scope.get(SHORT_ROUTE) or "none"


class BodyLimit:
    """Counts the body as it comes, so that a missing or false Content-Length changes nothing."""

    def __init__(self, app: ASGIApp, settings: Settings, *, api_path: str) -> None:
        self._app = app
        self._settings = settings
        self._upload_path = f"{api_path}/files"
        self._part_path = re.compile(
            f"{re.escape(api_path)}/files/uploads/[0-9a-fA-F-]+/parts/[0-9]+"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope)
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(413, f"the body is larger than {limit} bytes")
            return message

        await self._app(scope, counted, send)

    def _limit(self, scope: Scope) -> int:
        """Of a part: what no upload's part exceeds; the route knows the size of this one."""
        if scope["path"] == self._upload_path:
            return self._settings.max_upload_bytes
        if scope["method"] == "PUT" and self._part_path.fullmatch(scope["path"]):
            return largest_part(self._settings)
        return self._settings.max_body_bytes
