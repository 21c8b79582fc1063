"""Removing what nobody needs any more: old idempotency keys, old logs, work of ended jobs."""

from uuid import UUID

from app.db.database import Database
from app.jobs.log_store import delete_old_lines
from app.jobs.states import TERMINAL
from app.storage.base import Storage


def clean_up(db: Database, storage: Storage, *, log_days: int = 30) -> dict[str, int]:
    """How many keys, lines of log and blobs were removed."""
    with db.cursor() as cursor:
        cursor.execute("DELETE FROM idempotency_keys WHERE expires_at < now()")
        keys = cursor.rowcount
    owners = {key.split("/")[1] for key in storage.list("work/")}
    ended = _ended(db, owners)
    return {
        "idempotency_keys": keys,
        "log_lines": delete_old_lines(db, days=log_days),
        "work_blobs": sum(storage.delete(f"work/{owner}/") for owner in sorted(ended)),
    }


def _ended(db: Database, owners: set[str]) -> set[str]:
    """Those of `owners` (job ids) whose job has ended or does not exist."""
    if not owners:
        return set()
    with db.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM jobs WHERE id = ANY(%s) AND NOT state = ANY(%s)",
            ([UUID(owner) for owner in owners], [state.value for state in TERMINAL]),
        )
        return owners - {str(row["id"]) for row in cursor.fetchall()}
