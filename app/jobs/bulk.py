"""The same done to many jobs: cancel, retry or relabel all that a filter names, counted first."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.core.ids import new_id
from app.db.database import Database
from app.jobs.control import cancel_all, requeue
from app.jobs.filters import JobFilter
from app.jobs.labels import RELABELLED, relabel_all
from app.jobs.model import Job
from app.jobs.needs import OTHERS_MET, UNFILLED

logger = logging.getLogger(__name__)

Action = Literal["cancel", "retry", "relabel"]

#: jobs that one call changes; who has more calls again
MAX_JOBS = 10_000
#: of them in one transaction, so that no job is locked for long
_BATCH = 200

#: whom an action would change
_ELIGIBLE: dict[Action, LiteralString] = {
    "cancel": "(state IN ('waiting', 'queued', 'retrying')"
    " OR state = 'running' AND cancel_requested_at IS NULL)",
    "retry": f"state = 'failed' AND {OTHERS_MET}",
    "relabel": RELABELLED,
}


@dataclass(frozen=True, kw_only=True)
class Bulk:
    """What to do, to which jobs of a project, on whose behalf."""

    action: Action
    where: JobFilter
    project_id: UUID
    by: str
    #: merge patch of the labels, for `relabel`
    labels: dict[str, str | None] = field(default_factory=dict)
    #: names this call in the log of every job that it changes
    id: UUID = field(default_factory=new_id)

    @property
    def event(self) -> dict[str, Any]:
        """For each job's log: who asked, and for what."""
        return {"by": self.by, "bulk": {"id": str(self.id), "filter": self.where.as_json()}}


@dataclass(frozen=True, kw_only=True)
class BulkCount:
    #: jobs that the filter names
    matched: int
    #: those of them that the action would change, oldest first, at most MAX_JOBS
    eligible: Sequence[UUID]


def count_jobs(db: Database, bulk: Bulk) -> BulkCount:
    """Changes nothing."""
    where, values = bulk.where.where(bulk.project_id)
    values |= {"patch": Jsonb(bulk.labels), "limit": MAX_JOBS}
    with db.cursor() as cursor:
        cursor.execute(f"SELECT count(*) AS n FROM jobs WHERE {where}", values)
        row = cursor.fetchone()
        cursor.execute(
            f"SELECT id FROM jobs WHERE {where} AND {_ELIGIBLE[bulk.action]}"
            " ORDER BY id LIMIT %(limit)s",
            values,
        )
        eligible = [found["id"] for found in cursor.fetchall()]
    return BulkCount(matched=row["n"] if row else 0, eligible=eligible)


def change_jobs(
    db: Database, bulk: Bulk, job_ids: Sequence[UUID], *, publish: Callable[[Job], None]
) -> list[UUID]:
    """The ids of those that were changed; a job whose state has changed since it was counted is
    left alone. In transactions of `_BATCH` jobs: what was done stays done if a later one fails.
    """
    logger.info(
        "bulk %s %s by %s: %d jobs by %s",
        *(bulk.id, bulk.action, bulk.by, len(job_ids), bulk.where.as_json()),
    )
    changed: list[UUID] = []
    for batch in _batches(job_ids):
        with db.cursor() as cursor:
            if bulk.action == "cancel":
                changed += cancel_all(cursor, batch, by=bulk.by, event=bulk.event)
                queued: list[Job] = []
            elif bulk.action == "retry":
                queued = requeue(cursor, batch, event=bulk.event)
                changed += [job.id for job in queued]
            else:
                changed += relabel_all(cursor, batch, bulk.labels, event=bulk.event)
                queued = []
        for job in queued:
            publish(job)
    return changed


def unfilled(db: Database, job_ids: Sequence[UUID]) -> list[UUID]:
    """Those that still wait for values of other jobs, which a retry fills in first."""
    with db.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM jobs WHERE id = ANY(%s) AND {UNFILLED} ORDER BY id", (list(job_ids),)
        )
        return [row["id"] for row in cursor.fetchall()]


def _batches(ids: Sequence[UUID]) -> Iterator[list[UUID]]:
    for start in range(0, len(ids), _BATCH):
        yield list(ids[start : start + _BATCH])
