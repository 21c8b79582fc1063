"""The client of the benchmarks, against a server of raw sockets (127.0.0.1 only)."""

import socketserver
import threading
from collections.abc import Iterator
from itertools import repeat

import pytest

from benchmarks.load import bodies, drive, request


class _Answers(socketserver.StreamRequestHandler):
    """Answers each POST with its body, in two pieces; `busy` is refused with 503."""

    def handle(self) -> None:
        while self.rfile.readline():
            length = 0
            while (line := self.rfile.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            body = self.rfile.read(length)
            status = b"503 Busy" if body == b"busy" else b"200 OK"
            answer = b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, length, body)
            self.wfile.write(answer[:30])
            self.wfile.flush()
            self.wfile.write(answer[30:])


@pytest.fixture
def port() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Answers) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_bodies_come_in_the_order_of_the_requests(port: int) -> None:
    given = [str(n).encode() * 9 for n in range(20)]
    assert bodies(port, [request("/x", body) for body in given]) == given


def test_each_request_is_sent_once_whatever_the_number_of_connections(port: int) -> None:
    found = drive(port, repeat(request("/x", b"a"), 100), clients=8, seconds=30)
    assert len(found.latencies) == 100
    assert found.refusals == 0
    assert 0 < found.milliseconds(0.5) <= found.milliseconds(0.99)


def test_a_round_ends_in_time_with_requests_left(port: int) -> None:
    found = drive(port, repeat(request("/x", b"a")), clients=2, seconds=0.2)
    assert 0.2 <= found.seconds < 10
    assert found.rate == pytest.approx(len(found.latencies) / found.seconds)


def test_another_status_is_counted_apart_and_told(port: int) -> None:
    messages = [request("/x", b"busy"), request("/x", b"a")] * 5
    found = drive(port, iter(messages), clients=1, seconds=30)
    assert (len(found.latencies), found.refusals) == (5, 5)
    assert b"503" in found.refused[0]
    with pytest.raises(AssertionError, match="503"):
        bodies(port, messages)
