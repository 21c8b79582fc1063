"""A few molecules or rows, answered at once by a warm worker through the queue."""

from fastapi import APIRouter, Response

from api.dependencies import Caller, WithResources
from api.responses import json_response
from api.schemas.prediction import PredictionsAnswer
from api.schemas.problem import PROBLEMS
from app.core.errors import FieldError, InvalidInput
from app.models.records import resolve_model
from app.prediction.params import PredictionsRequest
from workers.interactive import ask

router = APIRouter(prefix="/predictions", tags=["predictions"], responses=PROBLEMS)


@router.post("", response_model=PredictionsAnswer)
def predict(request: PredictionsRequest, caller: Caller, resources: WithResources) -> Response:
    """In input order; a molecule that cannot be predicted says why and fails nothing else."""
    settings = resources.settings
    limit = settings.max_interactive_inputs
    if len(request.inputs) > limit:
        detail = f"{len(request.inputs)} inputs are more than the {limit} answered at once"
        raise InvalidInput(
            detail,
            code="too_many_inputs",
            remedy="Upload them as a file and post a job of kind predict.",
            errors=[FieldError(pointer="/inputs", code="too_long", detail=detail)],
        )
    with resources.database.session() as session:
        model = resolve_model(session, caller.project_id, request.model)
    inputs = [
        {"smiles": given, "id": None} if isinstance(given, str) else given.model_dump()
        for given in request.inputs
    ]
    answer = ask(
        resources,
        {"model_id": str(model.id), "inputs": inputs},
        settings.interactive_timeout_seconds,
    )
    named = {"id": model.id, "name": model.name, "number": model.number}
    return json_response({"model": named, **answer})
