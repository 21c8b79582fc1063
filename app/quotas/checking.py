"""Refusing what would go over a quota: when a job is submitted, when an upload begins."""

from datetime import UTC, datetime
from uuid import UUID

from app.core.clock import utc_now
from app.core.errors import QuotaExceeded, UsedUp
from app.db.database import Cursor
from app.quotas.limits import Holder, holders_of
from app.quotas.use import gpu_hours, queued_jobs, stored_bytes

_NO_LIMIT = 1 << 62
#: when it may be worth while to come again (seconds)
_JOBS_START, _FILES_GO = 10, 3600


def free_places(cursor: Cursor, project_id: UUID, caller: str, *, unseen: int = 0) -> int:
    """How many jobs more may wait; a large number when nobody said. Raises QuotaExceeded at none.

    `unseen`: jobs that are admitted and not in the table yet.
    """
    free = _NO_LIMIT
    for holder in holders_of(cursor, project_id, caller):
        limit = holder.limits.queued_jobs
        if limit is not None:
            used = queued_jobs(cursor, holder, most=limit) + unseen
            if used >= limit:
                told = f"{used:,} of {limit:,} jobs"
                raise _exceeded(holder, caller, "queued_jobs", told, used, _JOBS_START)
            free = min(free, limit - used)
    return free


def check_gpu_hours(cursor: Cursor, project_id: UUID, caller: str) -> None:
    """Raises QuotaExceeded when this month's are used up; what runs is not stopped."""
    for holder in holders_of(cursor, project_id, caller):
        limit = holder.limits.gpu_hours_per_month
        if limit is not None and (used := gpu_hours(cursor, holder)) >= limit:
            told = f"{used:.1f} of {limit:g} GPU hours of this month"
            wait = int((month_end(utc_now()) - utc_now()).total_seconds()) + 1
            raise _exceeded(holder, caller, "gpu_hours_per_month", told, used, wait)


def check_stored_bytes(cursor: Cursor, project_id: UUID, caller: str, more: int) -> None:
    """Raises QuotaExceeded when a file of `more` bytes does not fit."""
    for holder in holders_of(cursor, project_id, caller):
        limit = holder.limits.stored_bytes
        if limit is not None and (used := stored_bytes(cursor, holder)) + more > limit:
            told = f"{used:,} of {limit:,} bytes, and the file has {more:,}"
            raise _exceeded(holder, caller, "stored_bytes", told, used, _FILES_GO)


def month_end(now: datetime) -> datetime:
    """When the hours of this month are forgotten (UTC)."""
    year, month = divmod(now.year * 12 + now.month, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def _exceeded(
    holder: Holder, caller: str, quota: str, told: str, used: float, wait: int
) -> QuotaExceeded:
    error = QuotaExceeded(
        f"the quota {quota} is used up: {holder.shown} has {told}",
        headers={"Retry-After": str(wait)},
    )
    error.used_up = UsedUp(
        project_id=holder.project_id,
        caller=caller,
        scope="project" if holder.caller is None else "key",
        quota=quota,
        limit=float(getattr(holder.limits, quota)),
        used=float(used),
    )
    return error
