"""ApiKeyExpiring: a key ends within a week; told once of each."""

from typing import LiteralString

from app.db.database import Database
from app.events.log import NewEvent, record
from app.events.types.operations import ApiKeyExpiring

DAYS_BEFORE = 7
#: of one round, so that its transaction is short
_BATCH = 500

# a key that was replaced ends as it was meant to; one that was made for less than the notice would
# be told of as soon as it is made
_TAKE: LiteralString = """
UPDATE api_keys SET expiry_told_at = now()
WHERE id IN (
    SELECT id FROM api_keys
    WHERE expiry_told_at IS NULL AND revoked_at IS NULL AND replaced_by_id IS NULL
    AND expires_at > now() AND expires_at <= now() + make_interval(days => %(days)s)
    AND expires_at - created_at > make_interval(days => %(days)s)
    ORDER BY expires_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
RETURNING id, project_id, prefix, name, expires_at
"""


def tell_expiring(database: Database) -> int:
    """How many keys were told of. The mark and the event are one transaction, and two rounds at
    once take different keys.
    """
    told = 0
    while True:
        with database.cursor() as cursor:
            cursor.execute(_TAKE, {"days": DAYS_BEFORE, "batch": _BATCH})
            rows = cursor.fetchall()
            events = [
                NewEvent(
                    project_id=row["project_id"],
                    subject=f"keys/{row['prefix']}",
                    data=ApiKeyExpiring(
                        key_id=str(row["id"]),
                        prefix=row["prefix"],
                        name=row["name"],
                        expires_at=row["expires_at"].isoformat(),
                    ),
                )
                for row in rows
            ]
            record(cursor, events)
        told += len(rows)
        if len(rows) < _BATCH:
            return told
