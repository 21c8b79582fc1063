"""Model versions over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from app.db.models import ModelVersionRow


class ModelAnswer(BaseModel):
    """`metrics.test[target][metric]` is {value, ci_low, ci_high}; `baseline` likewise."""

    id: UUID
    name: str
    number: int
    ref: str
    task: str
    algorithm: str
    hyperparameters: dict[str, Any]
    targets: list[dict[str, Any]]
    metrics: dict[str, Any]
    dataset_id: UUID
    split_id: UUID | None
    job_id: UUID | None
    device: str
    feature_set_hash: str
    aliases: list[str]
    mlflow_run_id: str | None
    sha256: str
    training_config: dict[str, Any]
    created_at: datetime


class ModelPage(BaseModel):
    items: list[ModelAnswer]
    next_cursor: str | None


_PLAIN = (
    *("id", "name", "number", "task", "algorithm", "hyperparameters", "targets", "metrics"),
    *("dataset_id", "split_id", "job_id", "device", "feature_set_hash", "mlflow_run_id"),
    *("sha256", "training_config", "created_at"),
)


def model_json(row: ModelVersionRow, aliases: Sequence[str]) -> dict[str, Any]:
    body = {name: getattr(row, name) for name in _PLAIN}
    return body | {"ref": f"{row.name}:{row.number}", "aliases": sorted(aliases)}
