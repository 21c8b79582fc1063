"""A page of jobs by any filter, in bounded time however many jobs there are.

State, kind, caller and time have indexes in the order of the list: such pages are exact. For other
filters the newest jobs are walked; when few of them match, an index that leaves few jobs is looked
for (labels, parent, state, caller), and these are looked at one by one. Without one the walk goes
on for a bounded way, and the page may hold fewer jobs than asked for, or none, and yet name a next.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from typing import Any, LiteralString
from uuid import UUID

from app.core.ids import first_id
from app.db.database import Cursor, Database
from app.jobs.filters import JobFilter
from app.jobs.model import Job
from app.jobs.store import fetch_jobs

#: jobs that every filtered page may look at, and those that one without a good index may
FIRST_WALK = 2_000
WALK = 10_000
#: matches of an index that are looked at one by one
FEW = 2_000
#: ids carry the clock of the gateway, created_at that of Postgres
_CLOCKS_DIFFER = timedelta(seconds=60)
#: at least the first 32 bits of the time: 65 s of jobs
_ID_PREFIX = re.compile(r"[0-9a-f]{8}[0-9a-f-]{0,28}")
_TIME = ("created_after", "created_before")


@dataclass(frozen=True, kw_only=True)
class JobPage:
    jobs: list[Job]
    #: the next page begins behind it; None: there is none
    next_id: UUID | None


@dataclass(frozen=True, kw_only=True)
class _Found:
    ids: list[UUID]
    next_id: UUID | None


def list_page(
    db: Database,
    project_id: UUID,
    filters: JobFilter,
    *,
    limit: int,
    before_id: UUID | None = None,
) -> JobPage:
    """Newest first, at most `limit` jobs older than `before_id`."""
    with db.cursor() as cursor:
        cursor.execute(_PLANNING)
        query = _Query(cursor, project_id, filters, limit, before_id)
        found = query.find()
        return JobPage(jobs=fetch_jobs(cursor, found.ids), next_id=found.next_id)


class _Query:
    """One page's search, in one transaction."""

    def __init__(
        self,
        cursor: Cursor,
        project_id: UUID,
        filters: JobFilter,
        limit: int,
        before_id: UUID | None,
    ) -> None:
        self._cursor = cursor
        self._filters = filters
        self._limit = limit
        where, values = filters.where(project_id)
        self._where: LiteralString = where
        first, last = _id_range(filters)
        self._values = {
            **values,
            "first_id": first,
            "last_id": last if before_id is None else min(last, before_id),
            "more": limit + 1,
            "states": _listed(filters.state, filters.states),
            "kinds": _listed(filters.kind, filters.kinds),
        }

    def find(self) -> _Found:
        given = self._filters.given().keys()
        if given <= {"state", "states", "kind", "kinds", *_TIME}:
            return self._exact()
        if given <= {"created_by", *_TIME}:
            return self._page(self._ids(f"{self._where} AND {_RANGE}"))
        found = self._by_id_prefix() or self._walk(FIRST_WALK)
        if found is not None:
            return found
        for condition in self._narrow():
            ids = self._ids(condition, limit=FEW + 1, ordered=False)
            if len(ids) <= FEW:
                return self._page(self._among(ids))
        return self._walk(WALK, partly=True) or _Found(ids=[], next_id=None)

    def _exact(self) -> _Found:
        """By the indexes on state and kind: of each pair the newest, then merged."""
        times: LiteralString = "".join(
            f" AND {_CREATED[name]}" for name in _TIME if name in self._filters.given()
        )
        parts: list[LiteralString] = []
        pairs = product(self._values["states"] or [None], self._values["kinds"] or [None])
        # values, not columns of a join: the planner is to know how many jobs have them
        for number, (state, kind) in enumerate(pairs):
            equal: LiteralString = "" if state is None else f" AND state = %(state_{number})s"
            equal += "" if kind is None else f" AND kind = %(kind_{number})s"
            self._values |= {f"state_{number}": state, f"kind_{number}": kind}
            parts.append(
                f"(SELECT id FROM jobs WHERE project_id = %(project_id)s{equal}{times}"
                f" AND {_RANGE} ORDER BY id DESC LIMIT %(more)s)"
            )
        self._cursor.execute(
            f"SELECT id FROM ({' UNION ALL '.join(parts)}) newest ORDER BY id DESC LIMIT %(more)s",
            self._values,
        )
        return self._page([row["id"] for row in self._cursor.fetchall()])

    def _walk(self, steps: int, *, partly: bool = False) -> _Found | None:
        """Look at the newest `steps` jobs. None when that was not enough (unless `partly`)."""
        self._cursor.execute(
            "WITH walked AS MATERIALIZED ("
            f"SELECT id, ({self._where}) AS hit FROM jobs WHERE {self._walked()} AND {_RANGE}"
            " ORDER BY id DESC LIMIT %(steps)s)"
            " SELECT (SELECT count(*) FROM walked) AS seen,"
            " (SELECT id FROM walked ORDER BY id LIMIT 1) AS last,"
            " ARRAY(SELECT id FROM walked WHERE hit ORDER BY id DESC LIMIT %(more)s) AS ids",
            {**self._values, "steps": steps},
        )
        row: Any = self._cursor.fetchone()
        if len(row["ids"]) > self._limit or row["seen"] < steps:
            return self._page(row["ids"])
        return _Found(ids=row["ids"], next_id=row["last"]) if partly else None

    def _walked(self) -> LiteralString:
        """Which jobs are walked: those of an index in the order of the list."""
        filters = self._filters
        condition: LiteralString = "project_id = %(project_id)s"
        if filters.state is not None or filters.kind is not None:
            condition += "" if filters.state is None else " AND state = %(state)s"
            condition += "" if filters.kind is None else " AND kind = %(kind)s"
        elif filters.created_by is not None:
            condition += " AND created_by = %(created_by)s"
        return condition

    def _narrow(self) -> Iterator[LiteralString]:
        """Conditions that an index answers, each by itself."""
        given = self._filters.given().keys()
        if "labels" in given:
            yield "labels @> %(labels)s"
        if "parent_id" in given:
            yield "parent_id = %(parent_id)s"
        mine: LiteralString = "project_id = %(project_id)s AND "
        if given & {"state", "states"}:
            yield f"{mine}state = ANY(%(states)s)"
        if given & {"kind", "kinds"}:
            yield f"{mine}kind = ANY(%(kinds)s)"
        if "created_by" in given:
            yield f"{mine}created_by = %(created_by)s"

    def _among(self, ids: list[UUID]) -> list[UUID]:
        self._cursor.execute(
            "WITH looked_at AS MATERIALIZED ("
            f"SELECT id, ({self._where}) AS hit FROM jobs WHERE id = ANY(%(few)s) AND {_RANGE})"
            " SELECT id FROM looked_at WHERE hit ORDER BY id DESC LIMIT %(more)s",
            {**self._values, "few": ids},
        )
        return [row["id"] for row in self._cursor.fetchall()]

    def _by_id_prefix(self) -> _Found | None:
        """`q` as the beginning of an id; None when no job's id begins so."""
        words = (self._filters.q or "").lower()
        if _ID_PREFIX.fullmatch(words) is None:
            return None
        digits = words.replace("-", "")
        low, high = digits.ljust(32, "0")[:32], digits.ljust(32, "f")[:32]
        self._values |= {"low": UUID(low), "high": UUID(high)}
        where, values = replace(self._filters, q=None).where(self._values["project_id"])
        self._values |= values
        beginning: LiteralString = "id BETWEEN %(low)s AND %(high)s"
        known = self._ids(f"project_id = %(project_id)s AND {beginning}", limit=1)
        if not known:
            return None
        return self._page(self._ids(f"{where} AND {beginning} AND {_RANGE}"))

    def _ids(
        self, condition: LiteralString, *, limit: int | None = None, ordered: bool = True
    ) -> list[UUID]:
        order: LiteralString = " ORDER BY id DESC" if ordered else ""
        self._cursor.execute(
            f"SELECT id FROM jobs WHERE {condition}{order} LIMIT %(at_most)s",
            {**self._values, "at_most": limit or self._limit + 1},
        )
        return [row["id"] for row in self._cursor.fetchall()]

    def _page(self, ids: list[UUID]) -> _Found:
        """Of up to one more than `limit`."""
        shown = ids[: self._limit]
        return _Found(ids=shown, next_id=shown[-1] if len(ids) > self._limit else None)


#: which index serves is decided by how many jobs are looked at, not by how they lie on the disk:
#: walking the newest jobs for a rare state looks cheap to the planner, and may go through them all
_PLANNING: LiteralString = (
    "SELECT set_config('enable_seqscan', 'off', true),"
    " set_config('seq_page_cost', '0', true), set_config('random_page_cost', '0', true),"
    " set_config('plan_cache_mode', 'force_custom_plan', true)"
)
_RANGE: LiteralString = "id >= %(first_id)s AND id < %(last_id)s"
_CREATED: dict[str, LiteralString] = {
    "created_after": "created_at > %(created_after)s",
    "created_before": "created_at < %(created_before)s",
}


def _listed(one: str | None, several: tuple[str, ...] | None) -> list[str]:
    return [one] if one is not None else sorted(set(several or ()))


def _id_range(filters: JobFilter) -> tuple[UUID, UUID]:
    """[first, last) of the ids that jobs created in that time can have."""
    first, last = UUID(int=0), UUID(int=(1 << 128) - 1)
    if filters.created_after is not None:
        first = first_id(filters.created_after, -_CLOCKS_DIFFER)
    if filters.created_before is not None:
        last = first_id(filters.created_before, _CLOCKS_DIFFER)
    return first, last
