"""Tells of used up quotas without holding up the refusal, and without a flood."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from app.core.errors import QuotaExceeded, UsedUp
from app.db.database import Database
from app.events.exceeded import tell_exceeded

logger = logging.getLogger(__name__)

#: the log is not asked again for so long; it says what was told within the day
_QUIET_SECONDS = 600.0
_MOST = 10_000


class QuotaTeller:
    """Of one gateway process. A refusal costs a look into a dict; a thread writes the log."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="quota-teller")
        self._lock = threading.Lock()
        #: until when there is nothing to do, by what would be told
        self._quiet: dict[tuple[str, ...], float] = {}

    def tell(self, error: QuotaExceeded) -> None:
        used_up = error.used_up
        if used_up is not None and self._is_due(_key(used_up)):
            self._writer.submit(self._write, used_up)

    def close(self) -> None:
        """After what is to be told was told."""
        self._writer.shutdown()

    def _is_due(self, key: tuple[str, ...]) -> bool:
        now = time.monotonic()
        with self._lock:
            if self._quiet.get(key, 0.0) > now:
                return False
            if len(self._quiet) >= _MOST:
                self._quiet.clear()
            self._quiet[key] = now + _QUIET_SECONDS
            return True

    def _write(self, used_up: UsedUp) -> None:
        try:
            tell_exceeded(self._database, used_up)
        except Exception as error:  # noqa: BLE001 - the next refusal tries again
            logger.warning("QuotaExceeded was not told: %s", error)
            with self._lock:
                self._quiet.pop(_key(used_up), None)


def _key(used_up: UsedUp) -> tuple[str, ...]:
    return (str(used_up.project_id), used_up.caller, used_up.scope, used_up.quota)
