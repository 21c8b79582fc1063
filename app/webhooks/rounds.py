"""One round of sending at a time in the whole installation."""

from contextlib import closing

from app.db.database import Database
from app.webhooks.sender import Options, send_due

#: of Postgres' advisory locks; no other of ours has two parts
_LOCK = (7_401, 1)


def send_alone(database: Database, options: Options) -> dict[str, int]:
    """Nothing when another process is sending. The lock is that of a connection: Postgres lets it
    go when the process dies, or has stood still for longer than a round and its last claims last.
    """
    patience = f"{options.round_seconds + options.lease_seconds:.0f}s"
    with closing(database.connect()) as connection:
        connection.execute("SELECT set_config('idle_session_timeout', %s, false)", (patience,))
        row = connection.execute("SELECT pg_try_advisory_lock(%s, %s) AS mine", _LOCK).fetchone()
        if row is None or not row["mine"]:
            return {}
        return send_due(database, options)
