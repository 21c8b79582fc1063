"""A relay takes published events to where somebody else reads them, in order, and notes how far it
came (`event_cursors`). Killed between the two, it sends the same events again, with the same ids
and in the same order. Two relays of one name at once: the second finds the row locked and goes
home.
"""

from collections.abc import Callable, Sequence

from app.db.database import Cursor, Database
from app.events.envelope import COLUMNS, Event

BATCH = 500
#: batches of one round, so that it ends
ROUNDS = 20

#: returns when all are there; raises when not
Deliver = Callable[[Sequence[Event]], None]


def relay(database: Database, name: str, deliver: Deliver, *, batch: int = BATCH) -> int:
    """The next events, as one delivery; how many. Raises what `deliver` does: nothing was noted."""
    with database.cursor() as cursor:
        last = hold(cursor, name)
        if last is None:
            return 0
        cursor.execute(
            f"SELECT {COLUMNS} FROM events e WHERE e.seq > %s ORDER BY e.seq LIMIT %s",
            (last, batch),
        )
        events = [Event(**row) for row in cursor.fetchall()]
        if not events:
            return 0
        deliver(events)
        advance(cursor, name, events[-1].seq)
        return len(events)


def register(database: Database, name: str) -> None:
    """A reader that no migration knows begins with the oldest event that is kept."""
    with database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO event_cursors (name) VALUES (%s) ON CONFLICT DO NOTHING", (name,)
        )


def in_rounds(step: Callable[[], int], *, batch: int = BATCH) -> int:
    """`step` until it does less than a batch, at most ROUNDS times; the sum."""
    total = 0
    for _ in range(ROUNDS):
        done = step()
        total += done
        if done < batch:
            break
    return total


def hold(cursor: Cursor, name: str) -> int | None:
    """How far this reader is; None: there is no such reader, or another process is at it."""
    cursor.execute("SELECT seq FROM event_cursors WHERE name = %s FOR UPDATE SKIP LOCKED", (name,))
    row = cursor.fetchone()
    return row["seq"] if row else None


def advance(cursor: Cursor, name: str, seq: int) -> None:
    cursor.execute("UPDATE event_cursors SET seq = %s WHERE name = %s", (seq, name))
