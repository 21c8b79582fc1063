"""Rows of a predict job, while it runs and after."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from api.dependencies import Caller, WithResources
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.problem import PROBLEMS
from app.access.rights import Right
from app.prediction.ranges import rows_of

router = APIRouter(route_class=Guarded, prefix="/jobs", tags=["jobs"], responses=PROBLEMS)


class RowRange(BaseModel):
    first: int
    last: int


class PredictedRows(BaseModel):
    #: by the columns of predictions.csv, each with its number `row`
    items: list[dict[str, Any]]
    #: rows of this page that are not there: not yet, or never when the job has failed
    missing: list[RowRange]
    #: null: the file has not been read yet
    rows_total: int | None
    state: str
    #: number of the first row of the next page, whether it is there or not
    next_cursor: str | None


@router.get("/{job_id}/predictions", response_model=PredictedRows, dependencies=[needs(Right.READ)])
def predictions(
    job_id: UUID,
    caller: Caller,
    resources: WithResources,
    start: Annotated[int, Query(ge=1, le=2**31)] = 1,
    cursor: Annotated[int | None, Query(ge=1, le=2**31)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
) -> Response:
    """Rows `start` to `start + limit - 1` of the file, in its order, as soon as their chunk has
    ended; `missing` says which are not there. `cursor` is where a page begins, instead of `start`.
    """
    found = rows_of(resources, caller.project_id, job_id, cursor or start, limit)
    return json_response(
        {
            "items": found.items,
            "missing": [{"first": first, "last": last} for first, last in found.missing],
            "rows_total": found.rows_total,
            "state": found.state,
            "next_cursor": None if found.next_row is None else str(found.next_row),
        }
    )
