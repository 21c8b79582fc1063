"""Backpressure: one caller may have only so many jobs waiting; the next one is told to come back.

Counting ten thousand rows at every submission would cost more than the submission itself. So a
process counts once, and then admits an eighth of what was free without counting again, for at most
a second. With one gateway the limit is exact; with several it is passed by a few jobs at most,
because the share shrinks as the room fills.
"""

import threading
import time
from dataclasses import dataclass
from uuid import UUID

from app.core.errors import TooManyJobs
from app.db.database import Cursor
from app.quotas.checking import free_places

_TRUST_SECONDS = 1.0
_SHARE = 8
_RETRY_AFTER_SECONDS = 10


@dataclass(kw_only=True)
class _Allowance:
    left: int
    since: float


class WaitingRoom:
    """Of one gateway process; used by its threads at once."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._allowances: dict[tuple[UUID, str], _Allowance] = {}
        self._lock = threading.Lock()

    def enter(self, cursor: Cursor, project_id: UUID, caller: str, *, unseen: int = 0) -> None:
        """Raises TooManyJobs when `caller` has `limit` jobs waiting, queued or retrying,
        QuotaExceeded when it or its project has as many as its quota says.

        `unseen`: of those, admitted in this transaction and not stored yet.
        """
        with self._lock:
            if self._take((project_id, caller)):
                return
            free = self.limit - unseen - self._count(cursor, project_id, caller)
            if free <= 0:
                raise TooManyJobs(
                    f"{self.limit} of your jobs are waiting already",
                    headers={"Retry-After": str(_RETRY_AFTER_SECONDS)},
                )
            free = min(free, free_places(cursor, project_id, caller, unseen=unseen))
            self._allowances[project_id, caller] = _Allowance(
                left=free // _SHARE, since=time.monotonic()
            )

    def _take(self, key: tuple[UUID, str]) -> bool:
        allowance = self._allowances.get(key)
        if allowance is None or allowance.left == 0:
            return False
        if time.monotonic() - allowance.since > _TRUST_SECONDS:
            return False
        allowance.left -= 1
        return True

    def _count(self, cursor: Cursor, project_id: UUID, caller: str) -> int:
        cursor.execute(
            "SELECT count(*) AS n FROM (SELECT 1 FROM jobs WHERE project_id = %s"
            " AND created_by = %s AND state IN ('waiting', 'queued', 'retrying') LIMIT %s) AS open",
            (project_id, caller, self.limit),
        )
        row = cursor.fetchone()
        return row["n"] if row else 0
