"""Studies: what an optimize job searched, trial by trial."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from sqlalchemy import or_, select

from api.dependencies import Caller, WithResources
from api.paging import WithPage
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.problem import PROBLEMS
from app.access.principal import Principal
from app.access.rights import Right
from app.core.errors import NotFound
from app.db.studies import StudyRow
from app.resources import Resources

router = APIRouter(route_class=Guarded, prefix="/studies", tags=["studies"], responses=PROBLEMS)


@router.get("", dependencies=[needs(Right.READ)])
def list_studies(caller: Caller, resources: WithResources, page: WithPage) -> Response:
    """Newest first."""
    query = select(StudyRow).where(StudyRow.project_id == caller.project_id)
    if page.before_id is not None:
        query = query.where(StudyRow.id < page.before_id)
    with resources.database.session() as session:
        rows = session.scalars(query.order_by(StudyRow.id.desc()).limit(page.rows)).all()
    return page.answer(rows, _shown)


@router.get("/{study_id}", dependencies=[needs(Right.READ)])
def get_study(study_id: UUID, caller: Caller, resources: WithResources) -> Response:
    """By its own id or its job's."""
    return json_response(_shown(_study(resources, caller, study_id)))


@router.get("/{study_id}/trials", dependencies=[needs(Right.READ)])
def trials(study_id: UUID, caller: Caller, resources: WithResources) -> Response:
    from app.tuning.study import list_trials  # Optuna loads here, not with the gateway

    row = _study(resources, caller, study_id)
    return json_response({"items": list_trials(resources.database, row.optuna_study_name)})


def _study(resources: Resources, caller: Principal, study_id: UUID) -> StudyRow:
    with resources.database.session() as session:
        row = session.scalar(
            select(StudyRow).where(
                StudyRow.project_id == caller.project_id,
                or_(StudyRow.id == study_id, StudyRow.job_id == study_id),
            )
        )
    if row is None:
        raise NotFound(f"there is no study {study_id}")
    return row


def _shown(row: StudyRow) -> dict[str, Any]:
    names = ("id", "job_id", "algorithm", "metric", "direction", "n_trials", "best", "model_id")
    return {name: getattr(row, name) for name in (*names, "created_at")}
