"""A span for each request, below the caller's own trace; only there when traces are told."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.middleware import method_of, route_of
from app.core.tracing import span

#: asked every few seconds by instruments
_SILENT = frozenset(("/health/live", "/health/ready", "/healthz", "/readyz", "/metrics"))


class Traced:
    """Outside of everything else, so that nothing of a request is missing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _SILENT:
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("traceparent")
        method = method_of(scope)
        with span(f"HTTP {method}", kind="server", traceparent=given) as request:

            async def told(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route = route_of(scope)
                    request.rename(f"{method} {route}")
                    request.set(
                        http_request_method=method,
                        http_route=route,
                        http_response_status__code=message["status"],
                        retort_request_id=scope.get("state", {}).get("request_id"),
                    )
                await send(message)

            await self._app(scope, receive, told)
