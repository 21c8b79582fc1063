"""One POST to a judged address: no redirects, no proxies, a limit on time and on what is read."""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from app.net.guard import Target

_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back."""

    status: int
    #: its first bytes, as text
    text: str
    retry_after: str | None = None


def post(
    target: Target,
    body: bytes,
    headers: Mapping[str, str],
    *,
    seconds: float,
    keep_bytes: int,
) -> Reply:
    """Raises OSError (ssl.SSLError and TimeoutError are some), http.client.HTTPException.

    `seconds` is for the whole exchange: a receiver that sends a byte a minute is cut off.
    """
    connection = _connection(target)
    with _deadline(connection, seconds) as late:
        try:
            connection.connect()
            connection.sock.settimeout(seconds)
            connection.request("POST", target.path, body, dict(headers))
            answer = connection.getresponse()
            text = answer.read(keep_bytes)
        except (OSError, http.client.HTTPException, ValueError, AttributeError) as error:
            if late.is_set():
                raise TimeoutError(f"no whole answer within {seconds:g} s") from error
            if isinstance(error, AttributeError):
                raise ConnectionError("the connection was closed") from error
            raise
        return Reply(
            status=answer.status,
            text=text.decode("utf-8", "replace").replace("\0", ""),
            retry_after=answer.headers.get("Retry-After"),
        )


@contextlib.contextmanager
def _deadline(connection: http.client.HTTPConnection, seconds: float) -> Iterator[threading.Event]:
    """Closes the socket when the time is up, whatever it waits for then."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        sock = connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    connection.timeout = min(seconds, _CONNECT_SECONDS)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        connection.close()


def _connection(target: Target) -> http.client.HTTPConnection:
    if target.scheme == "https":
        return _PinnedHttps(target)
    return _Pinned(target)


class _Pinned(http.client.HTTPConnection):
    """Connects to the address that was judged; `Host` says the name."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port)
        self._target = target

    def connect(self) -> None:
        self.sock = socket.create_connection(
            (self._target.address, self._target.port), self.timeout
        )


class _PinnedHttps(http.client.HTTPSConnection):
    """The same; the certificate must be of the name."""

    def __init__(self, target: Target) -> None:
        super().__init__(target.host, target.port, context=_context())
        self._target = target

    def connect(self) -> None:
        # known before the handshake, which the deadline may have to cut
        self.sock = plain = socket.create_connection(
            (self._target.address, self._target.port), self.timeout
        )
        self.sock = _context().wrap_socket(plain, server_hostname=self._target.host)


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    """Of the system's authorities (SSL_CERT_FILE adds others)."""
    return ssl.create_default_context()


def elapsed_ms(since: float) -> float:
    """Since a `time.monotonic()`."""
    return round(1000 * (time.monotonic() - since), 1)
