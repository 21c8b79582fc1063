"""What endpoints do: canaries, metrics, comparisons, measured outcomes."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import Caller, WithResources
from api.once import Once
from api.preconditions import IfMatch, expected
from api.responses import json_response
from api.rights import Guarded, needs
from api.routes.endpoints import Name, answer
from api.routes.jobs import IdempotencyKey
from api.schemas.endpoint import (
    CanaryAnswer,
    CanaryRequest,
    ComparisonOfArms,
    EndpointAnswer,
    MetricsAnswer,
    OutcomesAnswer,
    OutcomesRequest,
)
from api.schemas.problem import PROBLEMS, ProblemDocument
from app.access.rights import Right
from app.core.clock import utc_now
from app.core.errors import Conflict
from app.endpoints import canary, reading, records
from app.endpoints.active import find_endpoint
from app.endpoints.comparison import PRACTICAL
from app.endpoints.outcomes import add_outcomes
from app.models.records import resolve_model

router = APIRouter(route_class=Guarded, prefix="/endpoints", tags=["endpoints"], responses=PROBLEMS)

_HOUR, _QUARTER = 60, 90 * 1440
Minutes = Annotated[int, Query(ge=1, le=_QUARTER)]


@router.get(
    "/{name}/canary",
    response_model=CanaryAnswer,
    responses={409: {"model": ProblemDocument, "description": "No canary runs (`no_canary`)"}},
    dependencies=[needs(Right.READ)],
)
def get_canary(name: Name, caller: Caller, resources: WithResources) -> Response:
    """How far it is, what its guards say, and what it waits for."""
    with resources.database.session() as session:
        stored = records.get(session, caller.project_id, name)
        found = canary.status(session, stored)
    if found is None:
        raise Conflict(f"the endpoint {name} has no canary", code="no_canary")
    return json_response(found)


@router.post(
    "/{name}/canary", response_model=EndpointAnswer, dependencies=[needs(Right.ENDPOINTS_ROLLBACK)]
)
def act(
    name: Name,
    request: CanaryRequest,
    caller: Caller,
    resources: WithResources,
    if_match: IfMatch = None,
) -> Response:
    """pause, resume, step (on, whatever the guards say) or abort (back); If-Match is optional.
    Who may roll endpoints back may abort.
    """
    if request.action != "abort":
        caller.require(Right.ENDPOINTS_WRITE)
    stored = canary.act(
        resources.database,
        caller.project_id,
        name,
        request.action,
        records.Notices.of(resources),
        by=caller.name,
        note=request.note,
        expected=expected(if_match) or "any",
    )
    return answer(stored)


@router.get("/{name}/metrics", response_model=MetricsAnswer, dependencies=[needs(Right.READ)])
def metrics(
    name: Name,
    caller: Caller,
    resources: WithResources,
    minutes: Minutes = _HOUR,
    revision: Annotated[int | None, Query(ge=1, le=2**53)] = None,
) -> Response:
    """Of the last minutes: each arm as a whole, and minute by minute."""
    since = utc_now() - timedelta(minutes=minutes)
    with resources.database.session() as session:
        endpoint = find_endpoint(session, caller.project_id, name)
        return json_response(reading.metrics(session, endpoint, since=since, revision=revision))


@router.get("/{name}/comparison", response_model=ComparisonOfArms, dependencies=[needs(Right.READ)])
def comparison(
    name: Name,
    caller: Caller,
    resources: WithResources,
    baseline: Annotated[str | None, Query(max_length=200)] = None,
    minutes: Minutes | None = None,
    practical: Annotated[float, Query(gt=0, lt=1)] = PRACTICAL,
) -> Response:
    """Each arm against the first route's (or `baseline`), and which differences are real: p values
    and intervals hold however often one looks. `practical`: what does not matter, of error rates.

    Over the active revision, from when both arms were asked in it; `minutes`: over the last ones
    instead, whichever revisions they were.
    """
    with resources.database.session() as session:
        stored = records.get(session, caller.project_id, name)
        first = None if baseline is None else resolve_model(session, caller.project_id, baseline).id
        found = reading.comparison(
            session,
            stored,
            baseline=first,
            since=None if minutes is None else utc_now() - timedelta(minutes=minutes),
            practical=practical,
        )
    return json_response(found)


@router.post(
    "/{name}/outcomes",
    response_model=OutcomesAnswer,
    status_code=201,
    dependencies=[needs(Right.DATA_WRITE)],
)
def outcomes(
    name: Name,
    request: OutcomesRequest,
    caller: Caller,
    resources: WithResources,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """What was measured of things that the endpoint predicted: the comparison uses it."""
    with resources.database.session() as session:
        endpoint = find_endpoint(session, caller.project_id, name)
        route, said = f"endpoints/{name}/outcomes", request.model_dump(mode="json")
        once = Once(session, caller, route, idempotency_key, said)
        if once.made is None:
            add_outcomes(session, endpoint, request.outcomes, by=caller.name)
            once.remember(endpoint.id)
    return json_response({"stored": len(request.outcomes)}, status=201, headers=once.headers)
