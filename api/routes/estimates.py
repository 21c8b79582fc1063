"""What a job would take, before it is submitted."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.dependencies import Caller, WithResources
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.problem import PROBLEMS
from app.access.rights import Right
from app.core.errors import FieldError, InvalidInput
from app.core.requests import RequestModel
from app.kinds import KINDS, Submission
from app.kinds.estimate import estimate
from app.kinds.validation import parse_params

router = APIRouter(route_class=Guarded, prefix="/jobs", tags=["jobs"], responses=PROBLEMS)


class EstimateRequest(RequestModel):
    """As in POST /jobs; nothing is submitted."""

    kind: Annotated[str, Field(max_length=50, examples=["train"])]
    params: dict[str, Any] = Field(max_length=200)


class RangeAnswer(BaseModel):
    low: float
    typical: float
    high: float


class BasisAnswer(BaseModel):
    #: earlier jobs of this project that the numbers come from
    jobs: int
    how: str


class EstimateAnswer(BaseModel):
    """Without any similar earlier job there is no number, and `basis.jobs` is 0."""

    seconds: RangeAnswer | None
    peak_memory_bytes: RangeAnswer | None
    basis: BasisAnswer


@router.post("/estimate", response_model=EstimateAnswer, dependencies=[needs(Right.READ)])
def post_estimate(request: EstimateRequest, caller: Caller, resources: WithResources) -> Response:
    """Time and memory that such a job would take here, from this project's own earlier jobs. The
    time counts from its start; how long it waits depends on the queue.
    """
    kind = KINDS.get(request.kind)
    if kind is None:
        detail = f"there is no kind {request.kind!r}; the kinds are {', '.join(KINDS)}"
        wrong = FieldError(pointer="/kind", code="unknown_kind", detail=detail)
        raise InvalidInput(detail, errors=[wrong])
    submission = Submission(kind=kind.name, params=parse_params(kind, request.params))
    return json_response(estimate(resources, caller, submission))
