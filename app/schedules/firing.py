"""What is due is fired, exactly once, by any number of processes at once.

A schedule is claimed with FOR UPDATE SKIP LOCKED, so that others pass it by. Its runs, their jobs
and the moment of the next run are one transaction: who dies in between has done nothing. The unique
key of (schedule, moment) refuses a run that exists, whatever else went wrong.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.db.schedules import ScheduleRow, ScheduleRunRow
from app.jobs.model import Job
from app.resources import Resources
from app.schedules.due import LATE, due_runs
from app.schedules.records import database_now, spec_of
from app.schedules.starting import begin

logger = logging.getLogger(__name__)

Clock = Callable[[Session], datetime]
#: schedules in one call
_MOST = 500
#: runs of a schedule that may wait for an earlier one
MOST_WAITING = 10
_OPEN = ("running", "held")


def fire_due(resources: Resources, *, clock: Clock = database_now) -> list[Job]:
    """Fire all that is due; the jobs to publish."""
    jobs: list[Job] = []
    for _ in range(_MOST):
        with resources.database.session() as session:
            fired = _fire_next(resources, session, clock(session))
        if fired is None:
            break
        jobs += fired
    return jobs


def _fire_next(resources: Resources, session: Session, now: datetime) -> list[Job] | None:
    row = session.scalar(
        select(ScheduleRow)
        .where(ScheduleRow.next_at <= now, ScheduleRow.enabled, ScheduleRow.archived_at.is_(None))
        .order_by(ScheduleRow.next_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if row is None or row.next_at is None:
        return None
    due = due_runs(spec_of(row), row.next_at, now)
    jobs: list[Job] = []
    for number, at in enumerate(due.skip):
        more = f", and {due.uncounted} before it" if due.uncounted and number == 0 else ""
        reason = f"missed by {_spoken(now - at)}{more}; the policy is {row.missed}"
        _insert(session, row, at, "missed", state="skipped", reason=reason, ended=now)
    for at in due.fire:
        trigger = "missed" if now - at > LATE else "cron"
        run = _insert(session, row, at, trigger)
        if run is not None:
            jobs += enter(resources, session, row, run, now)
    row.next_at = due.next_at
    logger.info("schedule %s: %d fired, %d skipped", row.name, len(due.fire), len(due.skip))
    return jobs


def _spoken(late: timedelta) -> str:
    return str(late).partition(".")[0]


def _insert(
    session: Session,
    row: ScheduleRow,
    at: datetime,
    trigger: str,
    *,
    state: str = "waiting",
    reason: str = "",
    ended: datetime | None = None,
    by: str | None = None,
) -> ScheduleRunRow | None:
    """None: there is this run already."""
    values = {
        "id": new_id(),
        "schedule_id": row.id,
        "run_at": at,
        "trigger": trigger,
        "state": state,
        "reason": reason,
        "finished_at": ended,
        "decided_by": by,
        "details": {},
    }
    made = session.scalar(
        insert(ScheduleRunRow)
        .values(**values)
        .on_conflict_do_nothing(index_elements=["schedule_id", "run_at"])
        .returning(ScheduleRunRow.id)
    )
    return None if made is None else session.get_one(ScheduleRunRow, made)


def enter(
    resources: Resources,
    session: Session,
    row: ScheduleRow,
    run: ScheduleRunRow,
    now: datetime,
) -> list[Job]:
    """Begin the run, or do with it what the policy for overlaps says; the jobs to publish."""
    _one_at_a_time(session, row)
    busy = None if row.overlap == "allow" else open_run(session, row, other_than=run.id)
    before = _waiting(session, row, other_than=run.id) if row.overlap == "queue" else 0
    if busy is None and before == 0:
        return begin(resources, session, row, run)
    said = f"{before} runs wait" if busy is None else _told(busy)
    if row.overlap == "queue" and before < MOST_WAITING:
        run.reason = f"{said}: it waits for its end"
        return []
    full = f", and {MOST_WAITING} wait already" if row.overlap == "queue" else ""
    run.state, run.finished_at, run.reason = "skipped", now, f"{said}{full}: they do not overlap"
    return []


def run_now(
    resources: Resources, session: Session, row: ScheduleRow, *, by: str
) -> tuple[ScheduleRunRow, list[Job]]:
    """By hand, also of a paused schedule; `row` is locked. The run is skipped where an open one
    forbids it.
    """
    now = database_now(session)
    run = _insert(session, row, now, "manual", by=by)
    if run is None:
        raise LookupError(f"two runs of {row.name} at {now}")
    return run, enter(resources, session, row, run, now)


def open_run(
    session: Session, row: ScheduleRow, *, other_than: UUID | None = None
) -> ScheduleRunRow | None:
    """One that runs or is held: of this schedule, or of any one of the same subject."""
    query = select(ScheduleRunRow).where(ScheduleRunRow.state.in_(_OPEN))
    query = query.where(_of_same_subject(row))
    if other_than is not None:
        query = query.where(ScheduleRunRow.id != other_than)
    return session.scalar(query.order_by(ScheduleRunRow.id).limit(1))


def _of_same_subject(row: ScheduleRow) -> ColumnElement[bool]:
    if row.subject is None:
        return ScheduleRunRow.schedule_id == row.id
    rivals = select(ScheduleRow.id).where(
        ScheduleRow.project_id == row.project_id, ScheduleRow.subject == row.subject
    )
    return ScheduleRunRow.schedule_id.in_(rivals)


def _told(run: ScheduleRunRow) -> str:
    return f"run {run.id} of {run.run_at:%Y-%m-%d %H:%M} UTC is {run.state}"


def _waiting(session: Session, row: ScheduleRow, *, other_than: UUID) -> int:
    query = select(func.count()).where(
        ScheduleRunRow.schedule_id == row.id,
        ScheduleRunRow.state == "waiting",
        ScheduleRunRow.id != other_than,
    )
    return session.scalar(query) or 0


def _one_at_a_time(session: Session, row: ScheduleRow) -> None:
    """Schedules of one subject that are fired at the same moment: one after the other."""
    subject = row.subject or str(row.id)
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, 4))"),
        {"subject": f"{row.project_id}:{subject}"},
    )


def begin_waiting(resources: Resources) -> list[Job]:
    """Runs that waited for an earlier one, of which there is none any more; the jobs to publish."""
    with resources.database.session() as session:
        ids = session.scalars(
            select(ScheduleRow.id)
            .where(
                exists().where(
                    ScheduleRunRow.schedule_id == ScheduleRow.id, ScheduleRunRow.state == "waiting"
                )
            )
            .limit(_MOST)
        ).all()
    jobs: list[Job] = []
    for schedule_id in ids:
        with resources.database.session() as session:
            jobs += _begin_oldest(resources, session, schedule_id)
    return jobs


def _begin_oldest(resources: Resources, session: Session, schedule_id: UUID) -> list[Job]:
    row = session.scalar(
        select(ScheduleRow).where(ScheduleRow.id == schedule_id).with_for_update(skip_locked=True)
    )
    if row is None:
        return []
    _one_at_a_time(session, row)
    waiting = select(ScheduleRunRow).where(
        ScheduleRunRow.schedule_id == row.id, ScheduleRunRow.state == "waiting"
    )
    run = session.scalar(waiting.order_by(ScheduleRunRow.run_at).limit(1).with_for_update())
    if run is None:
        return []
    if row.overlap != "allow" and open_run(session, row) is not None:
        return []
    return begin(resources, session, row, run)
