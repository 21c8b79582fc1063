"""A real HTTP server that receives webhooks: it fails as it is told, and remembers what it got."""

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import orjson


@dataclass(frozen=True, kw_only=True)
class Received:
    headers: dict[str, str]
    body: bytes
    #: what it was answered
    status: int

    @property
    def event(self) -> dict[str, Any]:
        return dict(orjson.loads(self.body))


@dataclass(kw_only=True)
class Receiver:
    """`with Receiver() as receiver: receiver.url`"""

    #: the next answers; then 200
    statuses: list[int] = field(default_factory=list)
    #: headers of every answer
    headers: dict[str, str] = field(default_factory=dict)
    text: str = "thanks"
    #: seconds before each answer
    delay: float = 0.0
    received: list[Received] = field(default_factory=list)

    def __enter__(self) -> Self:
        outer, self._lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook"

    @property
    def accepted(self) -> list[Received]:
        return [one for one in self.received if one.status < 300]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        with self._lock:
            status = self.statuses.pop(0) if self.statuses else 200
            self.received.append(Received(headers=headers, body=body, status=status))
        time.sleep(self.delay)
        text = self.text.encode()
        handler.send_response(status)
        for name, value in {**self.headers, "Content-Length": str(len(text))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(text)
