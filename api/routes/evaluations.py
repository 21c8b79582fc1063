"""One evaluation by its id; a model's are listed at /models/{ref}/evaluations."""

from uuid import UUID

from fastapi import APIRouter, Response

from api.dependencies import Caller, WithResources
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.evaluation import EvaluationAnswer, evaluation_json
from api.schemas.problem import PROBLEMS
from app.access.rights import Right
from app.evaluation.records import get_evaluation

router = APIRouter(route_class=Guarded, prefix="/evaluations", tags=["models"], responses=PROBLEMS)


@router.get("/{evaluation_id}", response_model=EvaluationAnswer, dependencies=[needs(Right.READ)])
def one(evaluation_id: UUID, caller: Caller, resources: WithResources) -> Response:
    with resources.database.session() as session:
        row = get_evaluation(session, caller.project_id, evaluation_id)
    return json_response(evaluation_json(row))
