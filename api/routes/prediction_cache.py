"""How often the cache knew the answer, and forgetting a model's answers."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy import select

from api.dependencies import Caller, WithResources
from api.errors import request_id_of
from api.responses import json_response
from api.rights import Guarded, needs
from api.schemas.prediction_history import CacheStatisticsAnswer, ForgottenAnswers
from api.schemas.problem import PROBLEMS
from app.access import audit
from app.access.rights import Right
from app.db.models import ModelVersionRow
from app.history.cache_statistics import (
    KEPT_DAYS,
    CacheStatistics,
    forget_answers,
    read_statistics,
)
from app.models.records import resolve_model
from app.prediction.answer_cache import keys_of_model

router = APIRouter(
    route_class=Guarded, prefix="/admin/prediction-cache", tags=["admin"], responses=PROBLEMS
)

Models = dict[UUID, dict[str, Any]]


@router.get("", response_model=CacheStatisticsAnswer, dependencies=[needs(Right.CLUSTER_READ)])
def statistics(
    caller: Caller,
    resources: WithResources,
    days: Annotated[int, Query(ge=1, le=KEPT_DAYS)] = 7,
) -> Response:
    """Of the last `days` days (UTC), today among them; models of your project."""
    found = read_statistics(resources.cache, days=days)
    with resources.database.session() as session:
        rows = session.execute(
            select(ModelVersionRow.id, ModelVersionRow.name, ModelVersionRow.number).where(
                ModelVersionRow.project_id == caller.project_id,
                ModelVersionRow.id.in_(found.by_model),
            )
        ).all()
    models = {row.id: {"id": row.id, "name": row.name, "number": row.number} for row in rows}
    return json_response(_shown(found.of_models(set(models)), models))


def _shown(found: CacheStatistics, models: Models) -> dict[str, Any]:
    by_model = sorted(
        found.by_model.items(), key=lambda pair: (-pair[1].hits - pair[1].misses, pair[0])
    )
    return {
        **found.total.as_json(),
        "since": found.since,
        "days": [{"day": day, **counts.as_json()} for day, counts in found.by_day.items()],
        "models": [{"model": models[id_], **counts.as_json()} for id_, counts in by_model],
    }


@router.delete(
    "/{ref}",
    response_model=ForgottenAnswers,
    dependencies=[needs(Right.CLUSTER_WRITE)],
)
def forget(
    ref: Annotated[str, Path(max_length=130)],
    request: Request,
    caller: Caller,
    resources: WithResources,
) -> Response:
    """Forget every cached answer of a version; the next ones are computed anew. Answers are never
    stale, for versions never change: this is for those that must not be kept.
    """
    with resources.database.session() as session:
        model = resolve_model(session, caller.project_id, ref)
        deleted = forget_answers(resources.cache, keys_of_model(model.id))
        audit.record(
            session,
            caller,
            "prediction_cache.delete",
            f"models/{model.id}",
            request_id=request_id_of(request),
            deleted=deleted,
        )
    named = {"id": model.id, "name": model.name, "number": model.number}
    return json_response({"model": named, "deleted": deleted})
