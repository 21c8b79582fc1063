"""What a kind of job declares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.core.requests import RequestModel
from app.jobs.submit import Attach, NewJob
from app.resources import Resources

#: checks names, resolves references, chooses the queue; raises the user's mistakes at once
Resolve = Callable[[Resources, Session, NewJob, Any], tuple[NewJob, Attach | None]]

#: params that `resolve` fills in, for every kind; what a client sends there is not looked at
RESOLVED = frozenset({"dataset_id", "model_id", "model_ids"})


def unresolved(params: dict[str, Any]) -> dict[str, Any]:
    """What the user wrote: `params` without what the gateway fills in."""
    return {**params, **dict.fromkeys(RESOLVED & params.keys())}


@dataclass(frozen=True, kw_only=True)
class JobKind:
    name: str
    #: params of the request, typed; published in OpenAPI
    params: type[RequestModel]
    #: queue unless `resolve` says otherwise
    queue: str
    resolve: Resolve
    #: `resolve` only reads: the job may share a transaction with others (app/jobs/together.py)
    only_reads: bool = False
    #: divided into chunks (needs tasks retort.<kind>_chunk and retort.<kind>_finalize)
    divided: bool = False


def no_attach(new: NewJob) -> tuple[NewJob, Attach | None]:
    return new, None
