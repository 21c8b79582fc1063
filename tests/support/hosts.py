"""Hosts of their own on this machine: network namespaces, joined by a bridge in another one.

Nothing of the machine's own network is touched: the switch lives in a namespace too, and nothing
leads out. Needs root, CAP_NET_ADMIN and `ip` (Debian: iproute2).
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

_CLONE_NEWNET = 0x40000000
#: for benchmarks of networks (RFC 2544): nobody routes it
_PREFIX = "198.18.0"


def ip(*words: str, check: bool = True) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=20)
    if check and done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Host:
    """A namespace with one cable to the switch. `number` is the last byte of its address."""

    def __init__(self, site: str, number: int) -> None:
        self.namespace = f"{site}-{number}"
        self.address = f"{_PREFIX}.{number}"
        self._site = site
        self._plug = f"p{number}"

    def build(self) -> None:
        ip("netns", "add", self.namespace)
        cable = ("link", "add", "eth0", "netns", self.namespace, "type", "veth")
        ip(*cable, "peer", "name", self._plug, "netns", self._site)
        ip("-n", self._site, "link", "set", self._plug, "master", "switch", "up")
        ip("-n", self.namespace, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", self.namespace, "link", "set", device, "up")

    def cut(self) -> None:
        """Pull the cable: nothing goes in or out, and nobody is told."""
        ip("-n", self._site, "link", "set", self._plug, "down")

    def heal(self) -> None:
        ip("-n", self._site, "link", "set", self._plug, "up")

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, and the processes and threads that it starts, are on the host."""
        with (
            Path("/proc/thread-self/ns/net").open("rb") as home,
            Path(f"/run/netns/{self.namespace}").open("rb") as there,
        ):
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())


def _enter(descriptor: int) -> None:
    libc: Any = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """`count` hosts that reach each other; gone afterwards, whatever happens."""
    _remove_left_behind()
    site = f"retort-{os.getpid()}-{uuid4().hex[:6]}"
    found = [Host(site, number) for number in range(1, count + 1)]
    try:
        ip("netns", "add", site)
        ip("-n", site, "link", "add", "switch", "type", "bridge")
        ip("-n", site, "link", "set", "switch", "up")
        for host in found:
            host.build()
        yield found
    finally:
        for name in (*(host.namespace for host in found), site):
            ip("netns", "del", name, check=False)


def _remove_left_behind() -> None:
    """What a test run that was killed has left; its processes died with it."""
    for path in Path("/run/netns").glob("retort-*-*"):
        owner = path.name.split("-")[1]
        if not Path(f"/proc/{owner}").exists():
            ip("netns", "del", path.name, check=False)


def skip_without_namespaces() -> None:
    """Skips the test, with a sentence, where hosts cannot be made."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("network namespaces need root; run the tests as root to have three hosts")
    if shutil.which("ip") is None:
        pytest.skip("there is no `ip` command: apt-get install iproute2")
    try:
        with hosts(1) as (host,), host.inside():
            pass
    except (RuntimeError, OSError) as error:
        pytest.skip(f"network namespaces are not allowed here (CAP_NET_ADMIN): {error}")
