"""One process that is kept alive: started again when it dies, slower when it keeps dying."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from workers.child import Child, describe_exit
from workers.embedded.state import ProcessState, observe

logger = logging.getLogger("retort")

#: seconds before the first, second, ... restart; then every minute
_BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0)
_SLOW = 60.0
#: a process that lived for so long has earned a fresh start of the count (seconds)
_STEADY = 60.0


class Supervised:
    """`launch` starts the process and returns at once."""

    def __init__(
        self,
        name: str,
        launch: Callable[[], Child],
        *,
        log: Path,
        drain_seconds: float = 10.0,
    ) -> None:
        self.name = name
        self.log = log
        self.drain_seconds = drain_seconds
        self.restarts = 0
        self._launch = launch
        self._child: Child | None = None
        self._deaths_in_a_row = 0
        self._again_at: float | None = None

    def start(self) -> None:
        self._child = self._launch()

    def check(self, now: float | None = None) -> bool:
        """Restart it if it died and its time has come; whether anything changed.

        `now` is `time.monotonic()`, for tests.
        """
        now = time.monotonic() if now is None else now
        if self._again_at is not None:
            return self._restart(now) if now >= self._again_at else False
        code = self._child.exit_code() if self._child else None
        if self._child is None or code is None:
            return False
        self._bury(self._child, code, now)
        return True

    def _bury(self, child: Child, code: int, now: float) -> None:
        child.kill()  # its own children, where it left some
        lived = time.time() - child.started_at
        self._deaths_in_a_row = 1 if lived > _STEADY else self._deaths_in_a_row + 1
        how = describe_exit(code)
        if self._deaths_in_a_row <= len(_BACKOFF):
            delay = _BACKOFF[self._deaths_in_a_row - 1]
            logger.warning("%s died (%s); restarting (%d)", self.name, how, self.restarts + 1)
        else:
            delay = _SLOW
            logger.error(
                "%s keeps dying (%s, %d times in a row); trying again every %d s. Look into %s",
                *(self.name, how, self._deaths_in_a_row, _SLOW, self.log),
            )
        self._child = None
        self._again_at = now + delay

    def _restart(self, now: float) -> bool:
        self.restarts += 1
        try:
            self.start()
        except OSError as error:  # no memory, no process slots: as if it had died at once
            logger.error("%s cannot be started: %s", self.name, error)  # noqa: TRY400
            self._again_at = now + _SLOW
            return True
        self._again_at = None
        return True

    def is_running(self) -> bool:
        return self._child is not None and self._child.exit_code() is None

    def signal_stop(self) -> None:
        """Ask it to end, without waiting."""
        if self._child is not None:
            self._child.send(self._child.stop_signal)

    def wait(self, give_up_at: float) -> None:
        """Wait until it ended; kill it at `give_up_at` (monotonic seconds)."""
        if self._child is None:
            return
        if not self._child.wait(max(0.0, give_up_at - time.monotonic())):
            logger.warning("%s did not end in time and was killed", self.name)
        self._child = None

    def state(self) -> ProcessState:
        """For the state file; process id 0 while it is down."""
        return observe(self.name, self._child.pid if self._child else 0, self.restarts)
