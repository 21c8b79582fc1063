"""Past predictions: list, latest of a structure, one; deleted by administrators only."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from api.dependencies import Caller, WithResources
from api.errors import request_id_of
from api.paging import WithPage
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.prediction_history import (
    DeletedPredictions,
    LatestPredictions,
    PastPrediction,
    PastPredictionPage,
    counted,
    past_json,
)
from api.schemas.problem import PROBLEMS
from app.access import audit
from app.access.principal import Principal
from app.access.rights import Right
from app.core.errors import InvalidInput, NotFound
from app.core.names import shown
from app.core.requests import Instant
from app.db.database import cursor_of
from app.history import records
from app.history.entries import Mode
from app.history.records import PredictionFilter, known_structure, structure_key
from app.history.sink import drain
from app.models.records import resolve_model
from app.models.reference import parse_model_ref
from app.prediction.answer_cache import input_key
from app.resources import Resources
from workers.interactive import ask

router = APIRouter(
    route_class=Guarded, prefix="/predictions", tags=["predictions"], responses=PROBLEMS
)

_FILTERS = (
    *("model", "structure", "endpoint_id", "mode", "request_id"),
    *("created_after", "created_before"),
)

Structure = Annotated[
    str, Query(min_length=1, max_length=5_000, description="any SMILES of the molecule")
]
ModelRef = Annotated[
    str, Query(max_length=130, description="name: every version of it; name:3, name@alias or an id")
]


def _filters(
    caller: Caller,
    resources: WithResources,
    model: ModelRef | None = None,
    structure: Structure | None = None,
    endpoint_id: UUID | None = None,
    mode: Mode | None = None,
    request_id: Annotated[str | None, Query(max_length=64)] = None,
    created_after: Instant | None = None,
    created_before: Instant | None = None,
) -> PredictionFilter:
    name, number = (None, None) if model is None else _version(resources, caller, model)
    key = None if structure is None else _key_of(resources, caller, structure)
    return PredictionFilter(
        model_name=name,
        model_number=number,
        structure_key=key,
        endpoint_id=endpoint_id,
        mode=mode,
        request_id=request_id,
        created_after=created_after,
        created_before=created_before,
    )


def _deleting(caller: Caller, resources: WithResources) -> Principal:
    """What still waits to be stored is there afterwards, to be deleted too."""
    drain(resources)
    return caller


WithFilters = Annotated[PredictionFilter, Depends(_filters)]
#: comes first among a route's parameters: filters are read afterwards
Deleting = Annotated[Principal, Depends(_deleting)]


@router.get("", response_model=PastPredictionPage, dependencies=[needs(Right.READ)])
def list_predictions(
    filters: WithFilters, caller: Caller, resources: WithResources, page: WithPage
) -> Response:
    """Newest first. Stored is what was asked with `remember`, or through an endpoint whose policy
    says so, about two seconds after the answer.
    """
    rows = records.list_predictions(
        resources.database,
        caller.project_id,
        filters,
        limit=page.rows,
        before_id=page.before_id,
    )
    on_page = rows[: page.limit]
    last = on_page[-1]["id"] if len(rows) > page.limit else None
    return page.answer_until([past_json(row) for row in on_page], last, **counted(on_page))


@router.get("/latest", response_model=LatestPredictions, dependencies=[needs(Right.READ)])
def latest(structure: Structure, caller: Caller, resources: WithResources) -> Response:
    """What each model said of a structure when it was last asked."""
    key = _key_of(resources, caller, structure)
    rows = records.latest_predictions(resources.database, caller.project_id, key)
    known = rows[0]["structure"] if rows else None
    items = [past_json(row) for row in rows]
    return json_response({"structure": known, "items": items, **counted(rows)})


@router.get("/{prediction_id}", response_model=PastPrediction, dependencies=[needs(Right.READ)])
def one(prediction_id: UUID, caller: Caller, resources: WithResources) -> Response:
    return json_response(
        past_json(records.get_prediction(resources.database, caller.project_id, prediction_id))
    )


@router.delete("/{prediction_id}", status_code=204, dependencies=[needs(Right.PURGE)])
def delete_one(
    caller: Deleting, prediction_id: UUID, request: Request, resources: WithResources
) -> Response:
    """Administrators only; written in the audit log."""
    with resources.database.session() as session:
        cursor = cursor_of(session)
        if not records.delete_prediction(cursor, caller.project_id, prediction_id):
            raise NotFound(f"there is no prediction {prediction_id}")
        audit.record(
            session,
            caller,
            "predictions.delete",
            f"predictions/{prediction_id}",
            request_id=request_id_of(request),
            deleted=1,
        )
    return Response(status_code=204)


@router.delete("", response_model=DeletedPredictions, dependencies=[needs(Right.PURGE)])
def delete_many(
    caller: Deleting, filters: WithFilters, request: Request, resources: WithResources
) -> Response:
    """All that the filters name, at least one of them; at most 10,000 at once, oldest first: `more`
    says to call again. Administrators only; written in the audit log.
    """
    _check_names(request.query_params)
    with resources.database.session() as session:
        cursor = cursor_of(session)
        deleted = records.delete_predictions(cursor, caller.project_id, filters)
        audit.record(
            session,
            caller,
            "predictions.delete",
            "predictions",
            request_id=request_id_of(request),
            deleted=deleted,
            asked=dict(request.query_params),
        )
    return json_response({"deleted": deleted, "more": deleted == records.MOST_DELETED})


def _check_names(given: Mapping[str, str]) -> None:
    """Raises InvalidInput: a mistyped filter would delete more than is meant."""
    unknown = sorted(given.keys() - _FILTERS)
    if unknown or not given:
        raise InvalidInput(
            f"there is no filter {shown(unknown[0])}"
            if unknown
            else "say which predictions are to be deleted",
            remedy=f"Give at least one of {', '.join(_FILTERS)}.",
        )


def _version(resources: Resources, caller: Principal, ref: str) -> tuple[str, int | None]:
    """Name and number; a bare name stands for all its versions. Raises InvalidInput, NotFound."""
    reference = parse_model_ref(ref)
    if reference.name is not None and reference.alias is None:
        return reference.name, reference.number
    with resources.database.session() as session:
        model = resolve_model(session, caller.project_id, ref)
    return model.name, model.number


def _key_of(resources: Resources, caller: Principal, text: str) -> str:
    """As predictions know it; a text that nobody has sent is asked of a worker. Raises InvalidInput
    for no structure, Unavailable when no worker answers.
    """
    hashed = input_key({"smiles": text})
    known = known_structure(resources.database, caller.project_id, text, hashed)
    if known is not None:
        return known
    asked: dict[str, Any] = {"question": "standardize", "smiles": text}
    found = ask(resources, asked, resources.settings.interactive_timeout_seconds)
    return structure_key(found["canonical_smiles"])
