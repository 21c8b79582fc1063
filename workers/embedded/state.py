"""What the supervisor tells `up`, `status` and `down`: one small file, rewritten at each change.

A process id alone proves nothing after a reboot, so that each comes with its start time.
"""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import IO, Literal

import psutil

from workers.child import kill_group
from workers.embedded.home import Home, write_private

Phase = Literal["starting", "running", "draining", "stopped", "failed"]


@dataclass(frozen=True, kw_only=True)
class ProcessState:
    """One process as the supervisor saw it last."""

    name: str
    pid: int
    #: its start, in seconds since the epoch, as the kernel tells it
    started_at: float
    restarts: int = 0


@dataclass(frozen=True, kw_only=True)
class ClusterState:
    """The cluster as the supervisor saw it last."""

    phase: Phase
    supervisor: ProcessState
    processes: tuple[ProcessState, ...] = ()
    #: what is not there yet (starting), or why it failed
    message: str = ""
    #: label -> URL
    addresses: dict[str, str] = field(default_factory=dict)

    def write(self, home: Home) -> None:
        write_private(home.state, asdict(self))


def read_state(home: Home) -> ClusterState | None:
    """The last state that was written, by a supervisor alive or not."""
    if not home.state.exists():
        return None
    raw = json.loads(home.state.read_text())
    raw["supervisor"] = ProcessState(**raw["supervisor"])
    raw["processes"] = tuple(ProcessState(**process) for process in raw["processes"])
    return ClusterState(**raw)


def observe(name: str, pid: int, restarts: int = 0) -> ProcessState:
    """`pid` with its start time; start time 0 when it is gone (or 0: was never there)."""
    try:
        started_at = psutil.Process(pid).create_time() if pid else 0.0
    except psutil.NoSuchProcess:
        started_at = 0.0
    return ProcessState(name=name, pid=pid, started_at=started_at, restarts=restarts)


def find(process: ProcessState) -> psutil.Process | None:
    """The very process that was recorded, if it still runs."""
    if process.pid == 0:
        return None
    try:
        found = psutil.Process(process.pid)
        same = abs(found.create_time() - process.started_at) < 1.0
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


@contextlib.contextmanager
def only_supervisor(home: Home, patience: float = 1.0) -> Iterator[bool]:
    """Holds the data folder while the block runs; gives False when another holds it.

    The kernel lets go of the lock when its holder dies, however it dies. `patience`: seconds, for
    somebody who only looks (`is_supervised`) holds it for an instant.
    """
    with home.lock.open("a") as file:
        give_up = time.monotonic() + patience
        while not _lock(file):
            if time.monotonic() > give_up:
                yield False
                return
            time.sleep(0.05)
        yield True


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_supervised(home: Home) -> bool:
    """Whether a supervisor holds the data folder now."""
    if not home.lock.exists():
        return False
    with only_supervisor(home, patience=0) as free:
        return not free


def end_orphans(state: ClusterState, timeout: float = 15.0) -> list[str]:
    """End what a killed supervisor left running; returns the names.

    They got their signal from the kernel when it died; who drains still is given `timeout` seconds.
    """
    left = {process.name: process for process in state.processes if find(process)}
    found = [process for process in map(find, left.values()) if process is not None]
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            # Postgres would wait for its clients at SIGTERM
            process.send_signal(signal.SIGINT if "postgres" in process.name() else signal.SIGTERM)
    _, alive = psutil.wait_procs(found, timeout=timeout)
    for process in alive:
        kill_group(process.pid)
    return sorted(left)


def this_process() -> ProcessState:
    return observe("supervisor", os.getpid())
