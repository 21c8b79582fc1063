"""One child process: its own session and log, and no life beyond its parent's."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from workers.accounts import Account, identity

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(signum: int) -> Callable[[], None] | None:
    """What the child runs before exec: the kernel signals it when its parent is killed.

    Runs after the change of account, which would clear it. Linux only; elsewhere the next `up`
    finds and ends what a killed supervisor left.
    """
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, signum, 0, 0, 0)

    return ask


class Child:
    """A started process. Start children from a thread that lives as long as they should."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        account: Account | None = None,
        stop_signal: int = signal.SIGTERM,
    ) -> None:
        self.stop_signal = stop_signal
        self.started_at = time.time()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=None if env is None else dict(env),
                # a session of its own: Ctrl-C reaches the supervisor only, which drains in order
                start_new_session=True,
                preexec_fn=die_with_parent(stop_signal),  # noqa: PLW1509 (no threads here)
                **identity(account),
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def send(self, signum: int) -> None:
        if self.exit_code() is None:
            self._process.send_signal(signum)

    def stop(self, timeout: float) -> bool:
        """Ask it to end and wait; kill it and what it started after `timeout` seconds.

        Returns whether it ended by itself.
        """
        self.send(self.stop_signal)
        return self.wait(timeout)

    def wait(self, timeout: float) -> bool:
        """Wait for its end; kill it after `timeout` seconds. Whether it ended by itself."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        kill_group(self.pid)
        return True

    def kill(self) -> None:
        """End it and its children at once, as a crash would."""
        kill_group(self.pid)
        self._process.wait()


def kill_group(pid: int) -> None:
    """SIGKILL to everything in the session's first process group, gone or not."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def describe_exit(code: int) -> str:
    """`signal 9` or `exit code 1`."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"
