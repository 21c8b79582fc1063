"""Past predictions, and how often the cache knew the answer, over HTTP."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from api.schemas.prediction import ModelName
from app.history.records import models_used


class PastPrediction(BaseModel):
    """`input`: smiles, features, id as they were given; `output`: the item of the answer without
    them: canonical_smiles, status, reason, notes, targets, domain.
    """

    id: UUID
    model: ModelName
    endpoint_id: UUID | None
    endpoint_revision: int | None
    #: live; fallback: in place of another model; shadow: stored, but not answered
    mode: Literal["live", "shadow", "fallback"]
    #: standardized SMILES
    structure: str | None
    inchikey: str | None
    input: dict[str, Any]
    output: dict[str, Any]
    #: whether the answer came from the cache
    cached: bool
    #: of the whole answer
    latency_ms: float | None
    request_id: str | None
    created_at: dt.datetime
    created_by: str
    #: null: when the installation's rule says so
    expires_at: dt.datetime | None


class PastPredictionPage(BaseModel):
    items: list[PastPrediction]
    next_cursor: str | None
    #: of this page
    count: int
    #: `name:number` of the versions on this page
    models_used: list[str]


class LatestPredictions(BaseModel):
    """The newest prediction of each model name, by name."""

    structure: str | None
    items: list[PastPrediction]
    count: int
    models_used: list[str]


class DeletedPredictions(BaseModel):
    deleted: int
    #: there are more: delete again
    more: bool


class CacheCounts(BaseModel):
    hits: int
    misses: int
    #: 0 to 1; null when nothing was asked
    hit_rate: float | None


class DayCounts(CacheCounts):
    day: dt.date


class ModelCounts(CacheCounts):
    model: ModelName


class CacheStatisticsAnswer(CacheCounts):
    """Inputs, not requests: a request for ten molecules counts ten."""

    #: the first day of which anything is known (UTC)
    since: dt.date | None
    days: list[DayCounts]
    #: most asked first
    models: list[ModelCounts]


class ForgottenAnswers(BaseModel):
    model: ModelName
    #: answers that were in the cache; one input may have two: as given, and as structure
    deleted: int


_PLAIN = tuple(name for name in PastPrediction.model_fields if name != "model")


def past_json(row: dict[str, Any]) -> dict[str, Any]:
    named = {"id": row["model_id"], "name": row["model_name"], "number": row["model_number"]}
    return {"model": named, **{name: row[name] for name in _PLAIN}}


def counted(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"count": len(rows), "models_used": models_used(rows)}
