"""QuotaExceeded: told once a day of each caller and quota, however often he is refused.

What was refused is rolled back, so the event has a transaction of its own. Gateways share the
promise through the log: who holds the lock looks there first.
"""

from typing import LiteralString

from app.core import errors
from app.core.errors import UsedUp
from app.db.database import Cursor, Database
from app.events.log import NewEvent, record
from app.events.types.operations import QuotaExceeded

_TOLD: LiteralString = """
SELECT 1 FROM events
WHERE project_id = %(project)s AND subject = %(subject)s AND type = %(type)s
AND data->>'principal' = %(principal)s AND data->>'scope' = %(scope)s
AND at > now() - interval '1 day' AND {published}
"""


def tell_exceeded(database: Database, used_up: UsedUp) -> bool:
    """Whether it was told now; False: within a day before."""
    event = NewEvent(
        project_id=used_up.project_id,
        subject=f"quotas/{used_up.quota}",
        data=QuotaExceeded(
            principal=used_up.caller,
            quota=used_up.quota,
            scope=used_up.scope,
            limit=used_up.limit,
            used=used_up.used,
        ),
    )
    with database.cursor() as cursor:
        # of the subject: two callers at once are told of in an order
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 5))",
            (f"{event.project_id} {event.subject}",),
        )
        if _was_told(cursor, event, used_up):
            return False
        record(cursor, [event])
        return True


def tell_if_exceeded(database: Database, error: Exception) -> None:
    """For who meets a refusal where no request is answered."""
    if isinstance(error, errors.QuotaExceeded) and error.used_up is not None:
        tell_exceeded(database, error.used_up)


def _was_told(cursor: Cursor, event: NewEvent, used_up: UsedUp) -> bool:
    values = {
        "project": event.project_id,
        "subject": event.subject,
        "type": event.data.type_name(),
        "principal": used_up.caller,
        "scope": used_up.scope,
    }
    # each half has an index of its own
    for published in ("seq IS NULL", "seq IS NOT NULL"):
        cursor.execute(_TOLD.replace("{published}", published) + " LIMIT 1", values)
        if cursor.fetchone() is not None:
            return True
    return False
