"""What a user types: up, run, status, wait, down. All but `run` only talk to the supervisor."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from workers.embedded import logs, supervisor
from workers.embedded.home import SOURCE, Home
from workers.embedded.report import print_addresses, print_status
from workers.embedded.state import ClusterState, Phase, end_orphans, find, is_supervised, read_state
from workers.servers.base import tail

_READY_SECONDS = 180.0
#: longer than any process may take to drain
_DOWN_SECONDS = 150.0
#: longer than the longest pause before a new start
_RESTART_SECONDS = 30.0


def up(home: Home) -> int:
    """Start a supervisor in the background; returns 0 once everything is ready."""
    if is_supervised(home) and _phase(home) == "draining":
        print("The cluster is stopping; waiting for its end.")
        _Follower(home.log("supervisor")).until(lambda: not is_supervised(home), _DOWN_SECONDS)
    if is_supervised(home):
        print("The cluster runs already.")
        if not _is_ready(home):
            return wait(home)
        # a process that has died is started again within seconds
        _Follower(home.log("supervisor")).until(lambda: _all_run(home), _RESTART_SECONDS)
        return status(home)
    _start_supervisor(home.make())
    return wait(home)


def run_in_foreground(home: Home) -> int:
    logs.start_logging()
    return supervisor.run(home)


def wait(home: Home) -> int:
    """Wait for readiness, showing the supervisor's lines meanwhile; then the addresses."""
    follow = _Follower(home.log("supervisor"), from_start=not _is_ready(home))
    ended = follow.until(lambda: _is_ready(home) or not is_supervised(home), _READY_SECONDS)
    state = read_state(home)
    if state is not None and _is_ready(home):
        print_addresses(state)
        return 0
    _explain(home, state, timed_out=not ended)
    return 1


def status(home: Home) -> int:
    state = read_state(home)
    if state is None or not is_supervised(home):
        print("The cluster is not running; start it with `make up`.")
        return 1
    return 0 if print_status(state, home) else 1


def down(home: Home) -> int:
    """Ask the supervisor to drain; wait until it is gone."""
    state = read_state(home)
    if not is_supervised(home):
        left = end_orphans(state) if state else []
        print(f"Ended what was left: {', '.join(left)}." if left else "The cluster is not running.")
        return 0
    if state is None:  # a supervisor that has not written a line yet
        print("The cluster is starting; try again in a second.")
        return 1
    follow = _Follower(home.log("supervisor"))
    os.kill(state.supervisor.pid, signal.SIGTERM)
    # it lets go of the folder a moment before its own process has ended
    if follow.until(
        lambda: not is_supervised(home) and find(state.supervisor) is None, _DOWN_SECONDS
    ):
        return 0
    print("The supervisor does not end; killing it.")
    with contextlib.suppress(ProcessLookupError):
        os.kill(state.supervisor.pid, signal.SIGKILL)
    end_orphans(read_state(home) or state)
    return 1


def _start_supervisor(home: Home) -> None:
    log = home.log("supervisor")
    if log.exists():
        log.replace(logs.previous(log))
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "workers.embedded", "run"],
            cwd=SOURCE,
            env={**os.environ, "RETORT_HOME": str(home.root), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while not is_supervised(home) and child.poll() is None:
        time.sleep(0.05)


def _phase(home: Home) -> Phase | None:
    state = read_state(home)
    return state.phase if state else None


def _is_ready(home: Home) -> bool:
    state = read_state(home)
    return state is not None and state.phase == "running" and find(state.supervisor) is not None


def _all_run(home: Home) -> bool:
    state = read_state(home)
    return state is not None and all(find(process) is not None for process in state.processes)


def _explain(home: Home, state: ClusterState | None, *, timed_out: bool) -> None:
    if state is None or not timed_out:
        print(f"The cluster did not start; see {home.log('supervisor')}.")
        return
    print(f"Not ready after {_READY_SECONDS:.0f} s: {state.message}. It goes on trying.")
    for name in state.message.removeprefix("waiting for ").split(", "):
        if home.log(name).exists():
            print(f"  {home.log(name)}:{tail(home.log(name))}")


class _Follower:
    """Shows what is appended to a log while something is waited for."""

    def __init__(self, log: Path, *, from_start: bool = False) -> None:
        self._log = log
        self._offset = 0 if from_start or not log.exists() else log.stat().st_size

    def until(self, done: Callable[[], bool], timeout: float) -> bool:
        """Whether `done()` came true within `timeout` seconds."""
        give_up = time.monotonic() + timeout
        while True:
            finished = done()
            self._show()
            if finished or time.monotonic() > give_up:
                return finished
            time.sleep(0.2)

    def _show(self) -> None:
        if not self._log.exists():
            return
        with self._log.open(errors="replace") as file:
            file.seek(self._offset)
            print(file.read(), end="", flush=True)
            self._offset = file.tell()
