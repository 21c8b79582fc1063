"""Figures that jobs told of while they ran (`metric` in their logs), for whoever draws them: once
each, in the order of telling, by trial or epoch.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.db.database import Database

#: which figure says how far along it was told, in this order
_STEPS = ("epoch", "trial")
#: numbers of a figure that are no figures
_PLACES = frozenset({*_STEPS, "chunk"})
#: what is committed later than this after its place in the log was taken is missed
_LATE_SECONDS = 60.0
_AT_ONCE = 20_000


@dataclass(frozen=True, kw_only=True)
class Figure:
    job_id: UUID
    kind: str
    #: the job's own `name`, of a model mostly
    name: str
    at: datetime
    step: int
    #: name to value
    values: dict[str, float]


class FigureLog:
    """What is new since the last look. Begins with the newest `history` places of the log."""

    def __init__(
        self,
        db: Database,
        *,
        history: int = 500_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._history = history
        self._clock = clock
        #: all up to it is told, and so are `_told` above it
        self._settled: int | None = None
        self._told: set[int] = set()
        #: (when, the end of the log then): places up to it are settled a while later
        self._ends: deque[tuple[float, int]] = deque()

    def new(self) -> list[Figure]:
        """Raises psycopg.OperationalError; the next look goes on where this one was."""
        with self._db.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(id), 0) AS end FROM job_events")
            end = int((cursor.fetchone() or {"end": 0})["end"])
            if self._settled is None:
                self._settled = max(0, end - self._history)
            cursor.execute(
                "SELECT e.id, e.job_id, e.at, e.data, j.kind, j.params->>'name' AS name"
                " FROM job_events e JOIN jobs j ON j.id = e.job_id"
                " WHERE e.id > %s AND e.type = 'metric' AND e.id <> ALL(%s) ORDER BY e.id LIMIT %s",
                (self._settled, list(self._told), _AT_ONCE),
            )
            rows = cursor.fetchall()
        self._told.update(row["id"] for row in rows)
        if len(rows) < _AT_ONCE:
            self._settle(end)
        found = (_figure(row) for row in rows)
        return [figure for figure in found if figure is not None]

    def _settle(self, end: int) -> None:
        now = self._clock()
        self._ends.append((now, end))
        while self._ends and self._ends[0][0] <= now - _LATE_SECONDS:
            self._settled = max(self._settled or 0, self._ends.popleft()[1])
        self._told = {place for place in self._told if place > (self._settled or 0)}


def _figure(row: dict[str, object]) -> Figure | None:
    data = row["data"]
    if not isinstance(data, dict):
        return None
    step = next((data[name] for name in _STEPS if name in data), None)
    if not isinstance(step, int):
        return None
    if "metric" in data and "value" in data:
        data = {str(data["metric"]): data["value"]}
    return Figure(
        job_id=row["job_id"],  # type: ignore[arg-type]
        kind=str(row["kind"]),
        name=str(row["name"] or ""),
        at=row["at"],  # type: ignore[arg-type]
        step=step,
        values={
            name: float(value)
            for name, value in data.items()
            if name not in _PLACES
            and isinstance(value, int | float)
            and not isinstance(value, bool)
        },
    )
