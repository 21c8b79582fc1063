"""Schedules in Postgres: made, changed, paused, put away; each change is one transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import collate, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.access.audit import record
from app.access.principal import Principal
from app.core.errors import Conflict, NotFound
from app.core.expected import Expected, check_expected
from app.core.names import listed, shown
from app.db.database import cursor_of
from app.db.schedules import ScheduleRow, ScheduleRunRow
from app.schedules.checking import kind_and_template, next_run
from app.schedules.spec import RETRAIN, ScheduleFields, ScheduleSpec

_PLAIN = (
    *("cron", "timezone", "description", "labels", "missed", "max_missed", "overlap", "enabled"),
    *("start_at", "end_at"),
)


def database_now(session: Session) -> datetime:
    """Postgres' clock: those of beats and gateways differ."""
    cursor = cursor_of(session)
    cursor.execute("SELECT clock_timestamp() AS now")
    row = cursor.fetchone()
    if row is None:
        raise LookupError("no clock")
    now: datetime = row["now"]
    return now


def spec_of(row: ScheduleRow) -> ScheduleSpec:
    """What was written."""
    part = "retrain" if row.kind == RETRAIN else "job"
    plain = {name: getattr(row, name) for name in _PLAIN}
    return ScheduleSpec.model_validate({**plain, "name": row.name, part: row.template})


def create(session: Session, principal: Principal, spec: ScheduleSpec) -> ScheduleRow:
    """The caller has checked the spec. Raises Conflict when the name is taken."""
    row = ScheduleRow(project_id=principal.project_id, name=spec.name, created_by=principal.name)
    _fill(session, row, spec)
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError as error:
        raise Conflict(
            f"there is a schedule {spec.name} already",
            code="schedule_exists",
            remedy=f"Change it: PATCH /api/v1/schedules/{spec.name} with its ETag in If-Match.",
        ) from error
    session.refresh(row)
    record(session, principal, "schedules.create", f"schedules/{row.name}", **_told(row))
    return row


def change(session: Session, principal: Principal, row: ScheduleRow, spec: ScheduleFields) -> None:
    """`row`: locked; `spec`: checked. Runs that were due until now and are not fired are left out,
    when the time was changed.
    """
    before = _told(row)
    moved = any(
        getattr(row, name) != getattr(spec, name)
        for name in ("cron", "timezone", "start_at", "end_at", "enabled")
    )
    next_at = row.next_at
    _fill(session, row, spec)
    if not moved:
        row.next_at = next_at
    _changed(session, row)
    name = f"schedules/{row.name}"
    record(session, principal, "schedules.change", name, before=before, after=_told(row))


def set_enabled(session: Session, principal: Principal, row: ScheduleRow, *, enabled: bool) -> None:
    """Paused, its times pass and are not made up for. Once more changes nothing."""
    if row.enabled == enabled:
        return
    row.enabled = enabled
    row.next_at = next_run(spec_of(row), database_now(session)) if enabled else None
    _changed(session, row)
    action = "schedules.resume" if enabled else "schedules.pause"
    record(session, principal, action, f"schedules/{row.name}")


def put_away(session: Session, principal: Principal, row: ScheduleRow) -> None:
    """It fires no more, its name is free; jobs that run go on, nothing waits any more."""
    now = database_now(session)
    row.archived_at, row.next_at, row.enabled = now, None, False
    why = {"reason": "the schedule was deleted", "finished_at": now}
    for state, ended in (
        ("waiting", {"state": "skipped", **why}),
        ("held", {"state": "succeeded", "outcome": "kept", **why}),
    ):
        session.execute(
            update(ScheduleRunRow)
            .where(ScheduleRunRow.schedule_id == row.id, ScheduleRunRow.state == state)
            .values(**ended)
        )
    _changed(session, row)
    record(session, principal, "schedules.delete", f"schedules/{row.name}")


def find(session: Session, project_id: UUID, name: str, *, lock: bool = False) -> ScheduleRow:
    """Raises NotFound with the nearest names."""
    query = select(ScheduleRow).where(
        ScheduleRow.project_id == project_id,
        ScheduleRow.name == name,
        ScheduleRow.archived_at.is_(None),
    )
    row: ScheduleRow | None = session.scalar(
        query.with_for_update().execution_options(populate_existing=True) if lock else query
    )
    if row is not None:
        return row
    names = session.scalars(
        select(ScheduleRow.name).where(
            ScheduleRow.project_id == project_id, ScheduleRow.archived_at.is_(None)
        )
    ).all()
    known = f"There are: {listed(name, names, most=5)}. " if names else ""
    raise NotFound(
        f"there is no schedule {shown(name)}", remedy=f"{known}List them: GET /api/v1/schedules."
    )


def locked(session: Session, project_id: UUID, name: str, expected: Expected) -> ScheduleRow:
    """For a change. Raises NotFound, PreconditionRequired, PreconditionFailed."""
    row = find(session, project_id, name, lock=True)
    check_version(row, expected)
    return row


def check_version(row: ScheduleRow, expected: Expected) -> None:
    """Raises PreconditionRequired, PreconditionFailed."""
    check_expected(expected, row.version, f"the schedule {row.name}")


def list_schedules(
    session: Session, project_id: UUID, *, limit: int, after_name: str | None = None
) -> Sequence[ScheduleRow]:
    """By name, without those that were deleted."""
    name = collate(ScheduleRow.name, "C")
    query = select(ScheduleRow).where(
        ScheduleRow.project_id == project_id, ScheduleRow.archived_at.is_(None)
    )
    if after_name is not None:
        query = query.where(name > after_name)
    return session.scalars(query.order_by(name).limit(limit)).all()


def list_runs(
    session: Session, schedule: ScheduleRow, *, limit: int, before_id: UUID | None = None
) -> Sequence[ScheduleRunRow]:
    """Newest first."""
    query = select(ScheduleRunRow).where(ScheduleRunRow.schedule_id == schedule.id)
    if before_id is not None:
        query = query.where(ScheduleRunRow.id < before_id)
    return session.scalars(query.order_by(ScheduleRunRow.id.desc()).limit(limit)).all()


def find_run(
    session: Session, schedule: ScheduleRow, run_id: UUID, *, lock: bool = False
) -> ScheduleRunRow:
    """Raises NotFound."""
    query = select(ScheduleRunRow).where(
        ScheduleRunRow.id == run_id, ScheduleRunRow.schedule_id == schedule.id
    )
    run: ScheduleRunRow | None = session.scalar(
        query.with_for_update().execution_options(populate_existing=True) if lock else query
    )
    if run is None:
        raise NotFound(
            f"the schedule {schedule.name} has no run {run_id}",
            remedy=f"List them: GET /api/v1/schedules/{schedule.name}/runs.",
        )
    return run


def _fill(session: Session, row: ScheduleRow, spec: ScheduleFields) -> None:
    for name in _PLAIN:
        setattr(row, name, getattr(spec, name))
    row.labels = dict(spec.labels)
    row.kind, row.template, row.subject = kind_and_template(spec)
    row.next_at = next_run(spec, database_now(session)) if spec.enabled else None


def _changed(session: Session, row: ScheduleRow) -> None:
    row.version += 1
    row.updated_at = func.clock_timestamp()
    session.flush()
    session.refresh(row)


def _told(row: ScheduleRow) -> dict[str, Any]:
    """For the audit log."""
    names = ("cron", "timezone", "kind", "template", "missed", "overlap", "enabled")
    return {name: getattr(row, name) for name in names}
