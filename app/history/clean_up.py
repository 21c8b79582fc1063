"""Predictions are removed when they are old: by their own date, or by the installation's rule."""

from typing import LiteralString

from app.db.database import Database

#: rows of one transaction, so that none holds locks for long
_BATCH = 5_000
#: transactions of one call; the next call goes on
_ROUNDS = 200

_EXPIRED: LiteralString = "expires_at < now()"
_OLD: LiteralString = "expires_at IS NULL AND created_at < now() - make_interval(days => %(days)s)"


def remove_old(db: Database, *, days: int) -> int:
    """How many were removed."""
    return _remove(db, _EXPIRED, "expires_at", days) + _remove(db, _OLD, "created_at", days)


def _remove(db: Database, which: LiteralString, order: LiteralString, days: int) -> int:
    removed = 0
    for _ in range(_ROUNDS):
        with db.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM predictions WHERE id IN (SELECT id FROM predictions WHERE {which}"
                f" ORDER BY {order} LIMIT %(batch)s)",
                {"days": days, "batch": _BATCH},
            )
            removed += cursor.rowcount
            if cursor.rowcount < _BATCH:
                break
    return removed
