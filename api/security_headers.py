"""What every answer says to a browser: run nothing, be in no frame, guess no type, tell nobody.

One place, for routes, short cuts and errors alike. A page that we serve brings a policy of its own
(`app.pages.policy`, `api.routes.docs`); the rest is data and needs nothing at all.
"""

from collections.abc import Mapping
from typing import Any

Header = tuple[bytes, bytes]

#: of answers that are no page: whatever a browser takes it for, it loads and runs nothing
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

SECURITY_HEADERS: dict[str, str] = {
    "Content-Security-Policy": NOTHING,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Made once; an answer costs one look at the names it has, and a list's extension."""

    def __init__(self, hsts_seconds: int) -> None:
        """`hsts_seconds`: for how long a browser may insist on TLS; 0: it is never told to."""
        self._plain = _raw(SECURITY_HEADERS)
        hsts = {"Strict-Transport-Security": f"max-age={hsts_seconds}"} if hsts_seconds else {}
        self._over_tls = self._plain + _raw(hsts)

    def add(self, message: Any, scheme: str, request_id: str) -> None:
        """To the start of an ASGI answer, with the request's id; what the route has said stays.

        `scheme`: of the request, as the proxy in front says it when uvicorn trusts that proxy.
        """
        headers: list[Header] = message["headers"]
        given = {name for name, _ in headers}
        mine = self._over_tls if scheme == "https" else self._plain
        headers.extend([header for header in mine if header[0] not in given])
        if b"x-request-id" not in given:
            headers.append((b"x-request-id", request_id.encode()))


def _raw(headers: Mapping[str, str]) -> tuple[Header, ...]:
    return tuple((name.lower().encode(), value.encode()) for name, value in headers.items())
