"""What has been used of a quota: counted where it is, so that nothing has to be kept in step."""

from typing import LiteralString

from app.db.database import Cursor
from app.quotas.limits import Holder

_SECONDS_PER_HOUR = 3600.0


def queued_jobs(cursor: Cursor, holder: Holder, *, most: int | None = None) -> int:
    """Jobs that have not started; counted up to `most`."""
    return int(
        _number(
            cursor,
            "SELECT count(*) AS n FROM (SELECT 1 FROM jobs WHERE project_id = %(project)s"
            " AND (%(caller)s::text IS NULL OR created_by = %(caller)s)"
            " AND state IN ('waiting', 'queued', 'retrying') LIMIT %(most)s) AS open",
            holder,
            most=most,
        )
    )


def gpu_hours(cursor: Cursor, holder: Holder) -> float:
    """Of attempts on GPU queues this month (UTC), those that run now up to this moment."""
    seconds = _number(
        cursor,
        "SELECT coalesce(sum(extract(epoch FROM coalesce(a.ended_at, now())"
        " - greatest(a.started_at, month.began))), 0)::float AS n"
        " FROM job_attempts AS a JOIN jobs AS j ON j.id = a.job_id,"
        " (SELECT date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC') AS month(began)"
        " WHERE j.project_id = %(project)s"
        " AND (%(caller)s::text IS NULL OR j.created_by = %(caller)s)"
        " AND starts_with(j.queue, 'gpu') AND coalesce(a.ended_at, now()) > month.began",
        holder,
    )
    return seconds / _SECONDS_PER_HOUR


def stored_bytes(cursor: Cursor, holder: Holder) -> int:
    """Of all its files, each counted although equal content is stored once; and what uploads that
    are open have announced.
    """
    return int(
        _number(
            cursor,
            "SELECT (SELECT coalesce(sum(size), 0) FROM files WHERE project_id = %(project)s"
            " AND (%(caller)s::text IS NULL OR created_by = %(caller)s))"
            " + (SELECT coalesce(sum(size), 0) FROM uploads WHERE project_id = %(project)s"
            " AND (%(caller)s::text IS NULL OR created_by = %(caller)s)"
            " AND state = 'open' AND expires_at > now()) AS n",
            holder,
        )
    )


def _number(
    cursor: Cursor, query: LiteralString, holder: Holder, *, most: int | None = None
) -> float:
    values = {"project": holder.project_id, "caller": holder.caller, "most": most}
    cursor.execute(query, values)
    row = cursor.fetchone()
    return float(row["n"]) if row else 0.0
