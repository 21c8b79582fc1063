"""What surrounds every request, as plain ASGI: request id, body limit, security headers."""

import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import SECURITY_HEADERS
from app.core.settings import Settings
from app.files.layout import largest_part

_SAFE_ID = 64


class RequestFrame:
    """Echoes X-Request-ID (or makes one) and adds the security headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        usable = 0 < len(given) <= _SAFE_ID and given.isascii() and given.isprintable()
        request_id = given if usable else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, framed)


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
