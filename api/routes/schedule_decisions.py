"""What a person says of a held run: promote the new version, or keep it."""

from uuid import UUID

from fastapi import APIRouter, Response

from api.dependencies import Caller, WithResources
from api.gated_moves import checked
from api.responses import json_response
from api.rights import Guarded, needs
from api.routes.schedules import Name
from api.schemas.problem import PROBLEMS
from api.schemas.schedule import DecisionRequest, RunAnswer, run_json
from app.access.rights import Right
from app.models.pointers import announce
from app.schedules import records
from app.schedules.deciding import approve as approve_case
from app.schedules.deciding import held_case
from app.schedules.deciding import reject as reject_run

router = APIRouter(
    route_class=Guarded,
    prefix="/schedules/{name}/runs/{run_id}",
    tags=["schedules"],
    responses=PROBLEMS,
)


@router.post("/approve", response_model=RunAnswer, dependencies=[needs(Right.ALIASES_PROTECTED)])
def approve(
    name: Name, run_id: UUID, request: DecisionRequest, caller: Caller, resources: WithResources
) -> Response:
    """The alias moves to the new version, when its files are unaltered and its gate lets it with
    the caller as the approver. 409 `run_outdated` when the champion has changed since.
    """
    with resources.database.session() as session:
        row = records.find(session, caller.project_id, name)
        case = held_case(session, row, records.find_run(session, row, run_id))
    gate = checked(resources, case.plan, case.policy, approver=caller.name)
    with resources.database.session() as session:
        run = approve_case(session, case, caller, gate, request.note)
    announce(resources.cache)
    return json_response(run_json(run, row.timezone))


@router.post("/reject", response_model=RunAnswer, dependencies=[needs(Right.ALIASES_PROTECTED)])
def reject(
    name: Name, run_id: UUID, request: DecisionRequest, caller: Caller, resources: WithResources
) -> Response:
    """The new version is kept and can still be promoted by hand; the champion stays."""
    with resources.database.session() as session:
        row = records.find(session, caller.project_id, name)
        records.find_run(session, row, run_id)
        run = reject_run(session, row, run_id, caller, request.note)
    return json_response(run_json(run, row.timezone))
