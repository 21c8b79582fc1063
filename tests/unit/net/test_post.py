"""One POST: what is judged is what is called, nothing is followed, time and bytes are limited."""

import socket
import threading
import time

import pytest

from app.net.client import post
from app.net.guard import Target
from tests.support.receiver import Receiver


def target(url, **changes):
    port = int(url.rpartition(":")[2].partition("/")[0])
    values = {"scheme": "http", "host": "127.0.0.1", "port": port, "address": "127.0.0.1"}
    return Target(**(values | {"path": "/hook"} | changes))


def send(where, **options):
    return post(where, b"{}", {}, **({"seconds": 5.0, "keep_bytes": 1_024} | options))


def test_it_calls_the_judged_address_by_the_name_that_was_asked():
    with Receiver() as receiver:
        reply = send(target(receiver.url, host="lab.example"))
        assert (reply.status, reply.text) == (200, "thanks")
        (got,) = receiver.received
        assert got.headers["host"].startswith("lab.example:")


@pytest.mark.req("goal-15")
def test_no_redirect_is_followed():
    with Receiver() as inner, Receiver(statuses=[302], headers={"Location": inner.url}) as outer:
        assert send(target(outer.url)).status == 302
        assert inner.received == []


def test_of_a_long_answer_only_the_beginning_is_read():
    with Receiver(text="x" * 1_000_000) as receiver:
        assert send(target(receiver.url)).text == "x" * 1_024


def test_no_proxy_of_the_environment_is_asked(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with Receiver() as receiver:
        assert send(target(receiver.url)).status == 200


def test_a_receiver_that_drips_is_cut_off_in_time():
    """Each byte is in time; all of them together are not."""
    server = socket.create_server(("127.0.0.1", 0))

    def drip():
        connection, _ = server.accept()
        with connection:
            try:
                while True:
                    connection.sendall(b"H")
                    time.sleep(0.1)
            except OSError:
                return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    began = time.monotonic()
    with server, pytest.raises(TimeoutError):
        send(target(f"http://127.0.0.1:{server.getsockname()[1]}/"), seconds=0.6)
    assert time.monotonic() - began < 3


def test_an_answer_may_take_longer_than_a_connection(monkeypatch):
    monkeypatch.setattr("app.net.client._CONNECT_SECONDS", 0.1)
    with Receiver(delay=0.4) as receiver:
        assert send(target(receiver.url)).status == 200


def test_https_asks_for_a_certificate_of_the_name():
    with Receiver() as receiver, pytest.raises(OSError, match=r"SSL|WRONG|wrong"):
        send(target(receiver.url, scheme="https"))
