"""Schedules: jobs and retrainings at their times, and what became of each run."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from sqlalchemy.orm import Session

from api.dependencies import Caller, WithDispatcher, WithResources
from api.once import REPLAYED
from api.paging import WithPage
from api.preconditions import IfMatch, etag_of_version, expected
from api.responses import json_response
from api.rights import Guarded, needs
from api.routes.jobs import IdempotencyKey
from api.schemas.problem import PROBLEMS
from api.schemas.schedule import (
    PreviewAnswer,
    RunAnswer,
    RunPage,
    ScheduleAnswer,
    ScheduleCreate,
    SchedulePage,
    SchedulePatch,
    SchedulePreview,
    run_json,
    schedule_json,
    upcoming_json,
)
from app.access.audit import record
from app.access.principal import Principal
from app.access.rights import Right
from app.core.clock import utc_now
from app.core.errors import Conflict
from app.db.database import cursor_of
from app.db.schedules import ScheduleRow, ScheduleRunRow
from app.jobs.submit import IdempotencyKey as StoredKey
from app.jobs.submit import first_answer, remember_answer
from app.schedules import records
from app.schedules.checking import check_spec
from app.schedules.cron import explained, parse_cron
from app.schedules.firing import open_run, run_now
from app.schedules.spec import ScheduleFields

router = APIRouter(route_class=Guarded, prefix="/schedules", tags=["schedules"], responses=PROBLEMS)

Name = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


def _body(session: Session, row: ScheduleRow) -> dict[str, Any]:
    runs = records.list_runs(session, row, limit=1)
    return schedule_json(row, runs[0] if runs else None)


def _answer(
    session: Session, row: ScheduleRow, *, status: int = 200, replayed: bool = False
) -> Response:
    headers = {"ETag": etag_of_version(row.version)}
    if status == 201:  # noqa: PLR2004 - created
        headers["Location"] = f"/api/v1/schedules/{row.name}"
    if replayed:
        headers |= REPLAYED
    return json_response(_body(session, row), status=status, headers=headers)


@router.get("", response_model=SchedulePage, dependencies=[needs(Right.READ)])
def get_schedules(caller: Caller, resources: WithResources, page: WithPage) -> Response:
    """By name, each with its next three runs and its last one."""
    with resources.database.session() as session:
        rows = records.list_schedules(
            session, caller.project_id, limit=page.rows, after_name=page.after_name
        )
        return page.answer(rows, lambda row: _body(session, row), place="name")


@router.post(
    "", response_model=ScheduleAnswer, status_code=201, dependencies=[needs(Right.WATCH_OWN)]
)
def create(
    request: ScheduleCreate,
    caller: Caller,
    resources: WithResources,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """A new schedule. Its job or training is checked now, as POST /jobs would; its jobs run in the
    caller's name.
    """
    _require_what_it_does(caller, request)
    body = request.model_dump(mode="json")
    idem = StoredKey.of(caller.project_id, caller.name, "schedules", idempotency_key, body)
    check_spec(resources, caller, request)
    with resources.database.session() as session:
        if idem is not None and (known := first_answer(cursor_of(session), idem)) is not None:
            row = session.get_one(ScheduleRow, known)
            return _answer(session, row, status=201, replayed=True)
        row = records.create(session, caller, request)
        if idem is not None:
            remember_answer(cursor_of(session), idem, row.id)
        return _answer(session, row, status=201)


@router.post("/preview", response_model=PreviewAnswer, dependencies=[needs(Right.READ)])
def preview(request: SchedulePreview, caller: Caller) -> Response:
    """What an expression means: its next runs, in the zone's own time and in UTC. Nothing is
    stored.
    """
    del caller  # authenticated
    cron = parse_cron(request.cron, request.timezone)
    moments = cron.after(request.after or utc_now())
    found = [at for _, at in zip(range(request.count), moments, strict=False)]
    return json_response(
        {
            "cron": cron.expression,
            "timezone": request.timezone,
            "explanation": explained(cron),
            "items": [upcoming_json(at, request.timezone) for at in found],
        }
    )


@router.get("/{name}", response_model=ScheduleAnswer, dependencies=[needs(Right.READ)])
def get_schedule(name: Name, caller: Caller, resources: WithResources) -> Response:
    """Its ETag counts what people change, not its runs."""
    with resources.database.session() as session:
        return _answer(session, records.find(session, caller.project_id, name))


@router.patch("/{name}", response_model=ScheduleAnswer, dependencies=[needs(Right.WATCH_OWN)])
def patch(
    name: Name,
    request: SchedulePatch,
    caller: Caller,
    resources: WithResources,
    if_match: IfMatch = None,
) -> Response:
    """The fields that are named; the whole is checked as at its creation. Jobs go on running in the
    name of who created it.
    """
    version = expected(if_match)
    with resources.database.session() as session:
        seen = records.find(session, caller.project_id, name)
        records.check_version(seen, version)
        _require_own(caller, seen)
        spec, read = request.applied_to(seen), seen.version
    if request.job is not None or request.retrain is not None:
        _require_what_it_does(caller, spec)
    check_spec(resources, caller, spec)
    with resources.database.session() as session:
        # what was checked must still be there
        row = records.locked(session, caller.project_id, name, read)
        records.change(session, caller, row, spec)
        return _answer(session, row)


@router.delete("/{name}", status_code=204, dependencies=[needs(Right.WATCH_OWN)])
def delete(
    name: Name, caller: Caller, resources: WithResources, if_match: IfMatch = None
) -> Response:
    """It fires no more and its name is free; jobs that run go on."""
    with resources.database.session() as session:
        row = records.locked(session, caller.project_id, name, expected(if_match))
        _require_own(caller, row)
        records.put_away(session, caller, row)
    return Response(status_code=204)


@router.post("/{name}/pause", response_model=ScheduleAnswer, dependencies=[needs(Right.WATCH_OWN)])
def pause(name: Name, caller: Caller, resources: WithResources) -> Response:
    """Its times pass until it is resumed, and are not made up for."""
    return _switched(name, caller, resources, enabled=False)


@router.post("/{name}/resume", response_model=ScheduleAnswer, dependencies=[needs(Right.WATCH_OWN)])
def resume(name: Name, caller: Caller, resources: WithResources) -> Response:
    """From its next time on."""
    return _switched(name, caller, resources, enabled=True)


def _switched(name: str, caller: Principal, resources: Any, *, enabled: bool) -> Response:
    with resources.database.session() as session:
        row = records.locked(session, caller.project_id, name, "any")
        _require_own(caller, row)
        records.set_enabled(session, caller, row, enabled=enabled)
        return _answer(session, row)


@router.post(
    "/{name}/run", response_model=RunAnswer, status_code=202, dependencies=[needs(Right.WATCH_OWN)]
)
def run(
    name: Name,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Now, whatever the time is, also while it is paused; its own times stay. 409 `run_open` while
    an earlier run has not ended, unless runs may overlap or wait.
    """
    route = f"schedules/{name}/run"
    idem = StoredKey.of(caller.project_id, caller.name, route, idempotency_key, {})
    with resources.database.session() as session:
        row = records.locked(session, caller.project_id, name, "any")
        _require_own(caller, row)
        if idem is not None and (known := first_answer(cursor_of(session), idem)) is not None:
            made = session.get_one(ScheduleRunRow, known)
            return _run_answer(made, row, REPLAYED)
        made, jobs = run_now(resources, session, row, by=caller.name)
        # left out because there is nothing new to learn is no conflict: the run says so
        if made.state == "skipped" and open_run(session, row, other_than=made.id) is not None:
            raise Conflict(f"{row.name} is not run: {made.reason}", code="run_open")
        if idem is not None:
            remember_answer(cursor_of(session), idem, made.id)
        record(session, caller, "schedules.run", f"schedules/{row.name}", run=str(made.id))
        session.flush()
        session.refresh(made)
        answer = _run_answer(made, row)
    dispatcher.enqueue(*jobs)
    return answer


def _run_answer(
    made: ScheduleRunRow, row: ScheduleRow, headers: dict[str, str] | None = None
) -> Response:
    return json_response(run_json(made, row.timezone), status=202, headers=headers)


@router.get("/{name}/runs", response_model=RunPage, dependencies=[needs(Right.READ)])
def runs(name: Name, caller: Caller, resources: WithResources, page: WithPage) -> Response:
    """Newest first: when, what became of it, why, and its jobs."""
    with resources.database.session() as session:
        row = records.find(session, caller.project_id, name)
        found = records.list_runs(session, row, limit=page.rows, before_id=page.before_id)
    return page.answer(found, lambda one: run_json(one, row.timezone))


@router.get("/{name}/runs/{run_id}", response_model=RunAnswer, dependencies=[needs(Right.READ)])
def one_run(name: Name, run_id: UUID, caller: Caller, resources: WithResources) -> Response:
    with resources.database.session() as session:
        row = records.find(session, caller.project_id, name)
        return json_response(run_json(records.find_run(session, row, run_id), row.timezone))


def _require_own(caller: Principal, row: ScheduleRow) -> None:
    """Raises Forbidden."""
    caller.require_own(row.created_by, Right.WATCH_OWN, Right.WATCH)


def _require_what_it_does(caller: Principal, spec: ScheduleFields) -> None:
    """Raises Forbidden: nobody gets a schedule to do what he may not do himself."""
    caller.require(Right.JOBS_WRITE, instead=" (the schedule submits jobs)")
    if spec.retrain is not None and spec.retrain.then == "promote":
        caller.require(
            Right.ALIASES_PROTECTED,
            instead=f" (it moves {spec.retrain.alias} by itself; with `hold` an approver does)",
        )
