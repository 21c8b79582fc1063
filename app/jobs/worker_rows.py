"""What a worker's parent process does for its children: their leases, and the end of the hung.

The parent is not starved by C code that holds a child's interpreter lock, so the lease of a child
that computes for minutes lives as long as the child itself (design 3.3).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.db.database import Database


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """What one round found."""

    #: claims of children that are gone; their leases were ended, the sweeper takes over
    dead_claims: int
    #: children that go on although their job was cancelled or late for longer than the grace
    overdue_pids: tuple[int, ...]


def keep_leases(
    db: Database,
    worker: str,
    alive_pids: Sequence[int],
    *,
    lease_seconds: float,
    grace_seconds: float,
) -> Upkeep:
    """Renew what living children hold, end what dead ones held, name those to be killed."""
    values = {
        "worker": worker,
        "alive": list(alive_pids),
        "lease": lease_seconds,
        "grace": grace_seconds,
    }
    dead = 0
    with db.cursor() as cursor:
        for table in ("jobs", "job_chunks"):
            cursor.execute(
                f"UPDATE {table} SET lease_expires_at = CASE WHEN worker_pid = ANY(%(alive)s)"
                " THEN now() + make_interval(secs => %(lease)s) ELSE now() END"
                " WHERE worker = %(worker)s AND state = 'running' AND claim_token IS NOT NULL"
                " RETURNING worker_pid",
                values,
            )
            dead += sum(row["worker_pid"] not in alive_pids for row in cursor.fetchall())
        cursor.execute(
            "WITH late AS (SELECT id, worker, worker_pid, claim_token FROM jobs"
            "   WHERE state = 'running' AND (cancel_requested_at < now() -"
            "   make_interval(secs => %(grace)s) OR deadline_at < now() -"
            "   make_interval(secs => %(grace)s)))"
            " SELECT worker_pid FROM late WHERE worker = %(worker)s AND claim_token IS NOT NULL"
            " UNION SELECT c.worker_pid FROM job_chunks c JOIN late ON late.id = c.job_id"
            "   WHERE c.worker = %(worker)s AND c.state = 'running'",
            values,
        )
        overdue = tuple(
            row["worker_pid"] for row in cursor.fetchall() if row["worker_pid"] in alive_pids
        )
    return Upkeep(dead_claims=dead, overdue_pids=overdue)
