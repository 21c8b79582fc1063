"""A port that was found free stays so until its server listens."""

import errno
import socket

import pytest

from workers.servers import free_port


def listen(port, *, reuse):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    try:
        server.bind(("127.0.0.1", port))
        server.listen()
    except OSError:
        server.close()
        raise
    return server


def test_it_is_kept_for_a_server_and_from_everybody_else():
    port = free_port()
    # as the kernel looks for one that nobody uses: for servers that ask for any, and for clients
    with pytest.raises(OSError, match="in use") as caught:
        listen(port, reuse=False)
    assert caught.value.errno == errno.EADDRINUSE
    listen(port, reuse=True).close()


def test_the_one_that_is_preferred_unless_somebody_holds_it():
    preferred = free_port()
    assert free_port(preferred) == preferred
    with listen(preferred, reuse=True):
        assert free_port(preferred) != preferred


def test_no_two_are_the_same():
    found = [free_port() for _ in range(500)]
    assert len(set(found)) == len(found)
