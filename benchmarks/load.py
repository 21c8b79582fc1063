"""Load over keep-alive connections: raw sockets, one request at a time on each of them.

No HTTP library stands between: what is measured is the server, and the same for every server.
"""

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import uvloop

_LENGTH = b"content-length: "


@dataclass(kw_only=True)
class Load:
    """What one round of requests has shown."""

    #: s, of each answer with the expected status
    latencies: list[float] = field(default_factory=list)
    #: whole answers with another status; the first few
    refused: list[bytes] = field(default_factory=list)
    refusals: int = 0
    #: from the first request to the last answer
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    def milliseconds(self, share: float) -> float:
        """The latency that `share` of the answers did not exceed; infinite without an answer."""
        if not self.latencies:
            return math.inf
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def request(path: str, body: bytes, key: str = "") -> bytes:
    """A POST of JSON."""
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\n{authorization}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def drive(
    port: int, requests: Iterator[bytes], *, clients: int, seconds: float, status: int = 200
) -> Load:
    """`clients` connections take from `requests` until those or the `seconds` are used up."""
    run = _Run(requests, seconds, status)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_connect(port, run, clients))
    return run.load


def bodies(port: int, requests: list[bytes]) -> list[bytes]:
    """The body of each answer, asked one after the other. Raises AssertionError unless all 200."""
    run = _Run(iter(requests), seconds=60.0 + len(requests), status=200)
    run.kept = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_connect(port, run, 1))
    assert not run.load.refusals, run.load.refused
    return run.kept


async def _connect(port: int, run: "_Run", clients: int) -> None:
    loop = asyncio.get_running_loop()
    run.begin()
    ends = []
    for _ in range(clients):
        _, connection = await loop.create_connection(lambda: _Connection(run), "127.0.0.1", port)
        ends.append(connection.ended)
    await asyncio.gather(*ends)
    run.load.seconds = run.last - run.began


class _Run:
    """What the connections of one round share."""

    def __init__(self, requests: Iterator[bytes], seconds: float, status: int) -> None:
        self.load = Load()
        self.kept: list[bytes] | None = None
        self.began = self.last = 0.0
        self._requests, self._seconds = requests, seconds
        self._expected = f" {status} ".encode()

    def begin(self) -> None:
        self.began = self.last = time.perf_counter()

    def next(self) -> bytes | None:
        if self.last - self.began > self._seconds:
            return None
        return next(self._requests, None)

    def took(self, started: float, answer: bytes, body_at: int) -> None:
        self.last = time.perf_counter()
        if self._expected not in answer[: answer.index(b"\r\n")]:
            self.load.refusals += 1
            if len(self.load.refused) < 3:
                self.load.refused.append(answer)
            return
        self.load.latencies.append(self.last - started)
        if self.kept is not None:
            self.kept.append(answer[body_at:])


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self._run = run
        self._answer = b""
        self._body_at = self._whole = 0
        self._started = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if not self._whole:
            head = self._answer.find(b"\r\n\r\n")
            if head < 0:
                return
            self._body_at = head + 4
            self._whole = self._body_at + _content_length(self._answer[:head])
        if len(self._answer) >= self._whole:
            self._run.took(self._started, self._answer, self._body_at)
            self._answer, self._whole = b"", 0
            self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(error or ConnectionResetError("the server hung up"))

    def _send(self) -> None:
        message = self._run.next()
        if message is None:
            self.ended.set_result(None)
            self._transport.close()
            return
        self._started = time.perf_counter()
        self._transport.write(message)


def _content_length(head: bytes) -> int:
    found = head.lower().partition(_LENGTH)[2]
    if not found:
        raise ValueError(f"an answer without its length: {head!r}")
    return int(found.split(b"\r\n", 1)[0])
