"""Removing what nobody needs any more: old idempotency keys, old logs, work of ended jobs."""

from uuid import UUID

from app.db.database import Database
from app.jobs.log_store import delete_old_lines
from app.jobs.states import TERMINAL
from app.storage.base import Storage


def clean_up(
    db: Database, storage: Storage, *, log_days: int = 30, retry_days: int = 7
) -> dict[str, int]:
    """How many keys, lines of log and blobs were removed."""
    with db.cursor() as cursor:
        cursor.execute("DELETE FROM idempotency_keys WHERE expires_at < now()")
        keys = cursor.rowcount
    owners = {key.split("/")[1] for key in storage.list("work/")}
    ended = _ended(db, owners, retry_days)
    return {
        "idempotency_keys": keys,
        "log_lines": delete_old_lines(db, days=log_days),
        "work_blobs": sum(_forget(storage, owner) for owner in sorted(ended)),
    }


def _forget(storage: Storage, owner: str) -> int:
    """The mark of a division first, so that nobody goes on with half of one."""
    marks = [key for key in storage.list(f"work/{owner}/") if key.endswith("/division")]
    return sum(storage.delete(key) for key in marks) + storage.delete(f"work/{owner}/")


def _ended(db: Database, owners: set[str], retry_days: int) -> set[str]:
    """Those of `owners` (job ids) whose job has ended or does not exist; but a divided job that
    failed less than `retry_days` ago may be retried in its failed parts.
    """
    if not owners:
        return set()
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM jobs WHERE id = ANY(%s) AND (NOT state = ANY(%s) OR state = 'failed'"
            " AND finished_at > now() - make_interval(days => %s)"
            " AND EXISTS (SELECT 1 FROM job_chunks c WHERE c.job_id = jobs.id))",
            ([UUID(owner) for owner in owners], [state.value for state in TERMINAL], retry_days),
        )
        return owners - {str(row["id"]) for row in cursor.fetchall()}
