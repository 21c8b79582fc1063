"""What the code of a job logged, attempt by attempt."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel

from api.dependencies import Caller, WithResources
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.problem import PROBLEMS
from app.access.rights import Right
from app.jobs.log_store import list_lines
from app.jobs.store import get_job

router = APIRouter(route_class=Guarded, prefix="/jobs", tags=["jobs"], responses=PROBLEMS)

Level = Literal["debug", "info", "warning", "error", "DEBUG", "INFO", "WARNING", "ERROR"]


class LogLineAnswer(BaseModel):
    id: int
    at: AwareDatetime
    attempt: int
    #: of a divided job: which part; null: the job itself
    chunk: int | None
    level: Literal["debug", "info", "warning", "error"]
    logger: str
    text: str


class LogPage(BaseModel):
    items: list[LogLineAnswer]
    next_cursor: str | None


@router.get("/{job_id}/logs", response_model=LogPage, dependencies=[needs(Right.READ)])
def logs(
    job_id: UUID,
    caller: Caller,
    resources: WithResources,
    attempt: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
    chunk: Annotated[int | None, Query(ge=0, le=1_000_000)] = None,
    level: Level = "debug",
    q: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
    after: Annotated[int, Query(ge=0, le=2**62)] = 0,
    cursor: Annotated[int, Query(ge=0, le=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> Response:
    """Oldest first; `level` and worse ones, `q` anywhere in the text. To follow a running job, ask
    again with `after` = the id of the last line seen. Kept for 30 days; secrets are masked.
    """
    get_job(resources.database, caller.project_id, job_id)
    lines = list_lines(
        resources.database,
        job_id,
        attempt=attempt,
        chunk=chunk,
        level=level.upper(),
        q=q,
        after=max(after, cursor),
        limit=limit + 1,
    )
    more = len(lines) > limit
    shown = lines[:limit]
    return json_response({"items": shown, "next_cursor": str(shown[-1]["id"]) if more else None})
