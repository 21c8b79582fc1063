"""What has become of jobs since the last look, from the log that every change of state writes."""

from dataclasses import dataclass
from typing import LiteralString

from app.db.database import Database

#: ids are given before their transaction commits: a state is read when all before it are there
_SETTLED_SECONDS = 5.0
_MOST = 20_000

_QUERY: LiteralString = """
SELECT e.id, j.kind, e.data->>'trigger' AS trigger, e.data->>'state' AS state,
    coalesce(j.error->>'code', 'none') AS cause,
    extract(epoch FROM e.at - coalesce(j.run_at, j.created_at))::float AS waited,
    extract(epoch FROM j.finished_at - j.started_at)::float AS ran
FROM job_events e JOIN jobs j ON j.id = e.job_id
WHERE e.id > %(last)s AND e.type = 'state'
    AND e.at < clock_timestamp() - make_interval(secs => %(settled)s)
ORDER BY e.id LIMIT %(most)s
"""


@dataclass(frozen=True, kw_only=True)
class Transition:
    kind: str
    #: app.jobs.states.Trigger
    trigger: str
    #: the state that it led to
    state: str
    #: the code of the problem that the job has now; none where it has none
    cause: str
    #: seconds since it could have been taken
    waited: float
    #: seconds from the first start to the end, of a job that has ended
    ran: float | None


class TransitionTail:
    """Begins with the first look; each look gives what came since the one before."""

    def __init__(self, database: Database, *, settled_seconds: float = _SETTLED_SECONDS) -> None:
        self._database = database
        self._settled = settled_seconds
        self._last: int | None = None

    def read(self) -> list[Transition]:
        """Oldest first; at most _MOST, the rest the next time. Raises psycopg's errors."""
        with self._database.cursor() as cursor:
            if self._last is None:
                cursor.execute("SELECT coalesce(max(id), 0) AS last FROM job_events")
                (row,) = cursor.fetchall()
                self._last = int(row["last"])
                return []
            cursor.execute(_QUERY, {"last": self._last, "settled": self._settled, "most": _MOST})
            rows = cursor.fetchall()
        if rows:
            self._last = int(rows[-1]["id"])
        return [
            Transition(**{name: value for name, value in row.items() if name != "id"})
            for row in rows
        ]
