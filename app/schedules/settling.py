"""Runs end: when their jobs have ended, seen from Postgres by whoever looks next."""

import logging
from typing import Any, LiteralString
from uuid import UUID

from app.core.errors import RetortError
from app.db.database import Cursor, Database
from app.db.schedules import ScheduleRunRow
from app.jobs.finish import problem_of
from app.jobs.outages import is_outage
from app.resources import Resources
from app.schedules.deciding import decide
from app.schedules.records import database_now

logger = logging.getLogger(__name__)

#: how long the history goes back
HISTORY_DAYS = 400
#: a job that is not there any more has ended, too
_ENDED: LiteralString = """
SELECT r.id FROM schedule_runs r WHERE r.state = 'running' AND NOT EXISTS (
    SELECT 1 FROM jobs j WHERE j.id = ANY(r.job_ids)
    AND j.state IN ('waiting', 'queued', 'running', 'retrying'))
ORDER BY r.id LIMIT 200
"""
_NOT_SUCCEEDED: LiteralString = """
SELECT wanted.id, j.kind, j.state, j.error FROM unnest(%s::uuid[]) AS wanted(id)
LEFT JOIN jobs j ON j.id = wanted.id WHERE j.state IS DISTINCT FROM 'succeeded'
ORDER BY j.finished_at, wanted.id LIMIT 1
"""


def settle_runs(resources: Resources) -> int:
    """How many were looked at. Each is settled for itself, in transactions of its own."""
    with resources.database.cursor() as cursor:
        cursor.execute(_ENDED)
        ids = [row["id"] for row in cursor.fetchall()]
    for run_id in ids:
        _settle(resources, run_id)
    return len(ids)


def forget_old_runs(database: Database, *, days: int = HISTORY_DAYS) -> int:
    """How many ended runs were removed; their jobs stay."""
    with database.cursor() as cursor:
        cursor.execute(
            "DELETE FROM schedule_runs WHERE state IN ('succeeded', 'failed', 'skipped')"
            " AND run_at < now() - make_interval(days => %s)",
            (days,),
        )
        return cursor.rowcount


def _settle(resources: Resources, run_id: UUID) -> None:
    with resources.database.session() as session:
        run = session.get_one(ScheduleRunRow, run_id)
        is_retraining = "spec" in run.details
    with resources.database.cursor() as cursor:
        failed = _failed_job(cursor, run.job_ids)
    if failed is not None:
        _end(resources, run_id, "failed", _told(failed), failed["error"])
    elif is_retraining:
        _decide(resources, run_id)
    else:
        _end(resources, run_id, "succeeded", "", None)


def _failed_job(cursor: Cursor, job_ids: list[UUID]) -> dict[str, Any] | None:
    """The first that has not succeeded: those after it only needed it."""
    cursor.execute(_NOT_SUCCEEDED, (job_ids,))
    return cursor.fetchone()


def _told(job: dict[str, Any]) -> str:
    if job["state"] is None:
        return f"job {job['id']} was removed"
    return f"{job['kind']} job {job['id']} {job['state']}"


def _decide(resources: Resources, run_id: UUID) -> None:
    try:
        decide(resources, run_id)
    except Exception as error:
        if is_outage(error):
            raise
        problem = problem_of(error)
        if problem["code"] == "alias_changed":
            return  # the next look compares with what the alias is then
        if not isinstance(error, RetortError):
            logger.exception("run %s could not be decided", run_id)
        _end(resources, run_id, "failed", "it could not be decided", dict(problem))


def _end(
    resources: Resources, run_id: UUID, state: str, reason: str, error: dict[str, Any] | None
) -> None:
    with resources.database.session() as session:
        run = session.get_one(ScheduleRunRow, run_id, with_for_update=True, populate_existing=True)
        if run.state != "running":
            return
        run.state, run.reason, run.error = state, reason, error
        run.finished_at = database_now(session)
