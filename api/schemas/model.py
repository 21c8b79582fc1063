"""Model versions over HTTP."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from pydantic import BaseModel, Field

from app.core.requests import RequestModel
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
    #: null: it was imported
    dataset_id: UUID | None
    split_id: UUID | None
    job_id: UUID | None
    #: name, number, sha256, dataset of the bundle; null: it was trained here
    imported_from: dict[str, Any] | None
    device: str
    feature_set_hash: str
    aliases: list[str]
    mlflow_run_id: str | None
    sha256: str
    training_config: dict[str, Any]
    created_at: datetime
    #: candidate | archived
    state: str
    labels: dict[str, str]
    description: str
    semver: str | None
    archived_at: datetime | None


class ModelPage(BaseModel):
    items: list[ModelAnswer]
    next_cursor: str | None


_Label = Annotated[str, Field(max_length=200)]


class ModelPatch(RequestModel):
    """Labels are merged into those that are there; null removes one (RFC 7396)."""

    labels: dict[_Label, _Label | None] | None = Field(default=None, max_length=50)
    description: str | None = Field(default=None, max_length=5_000)
    #: a semantic version (semver.org), unique among the name's versions; null takes it away
    semver: str | None = Field(default=None, max_length=100)


_PLAIN = (
    *("id", "name", "number", "task", "algorithm", "hyperparameters", "targets", "metrics"),
    *("dataset_id", "split_id", "job_id", "device", "feature_set_hash", "mlflow_run_id"),
    *("sha256", "training_config", "created_at", "state", "labels", "description", "semver"),
    *("archived_at", "imported_from"),
)


def model_json(row: ModelVersionRow, aliases: Sequence[str]) -> dict[str, Any]:
    body = {name: getattr(row, name) for name in _PLAIN}
    return body | {"ref": f"{row.name}:{row.number}", "aliases": sorted(aliases)}


def model_etag(row: ModelVersionRow) -> str:
    """Changes with whatever may change of a version."""
    said = [row.labels, row.description, row.semver, row.state]
    digest = hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f'"{digest[:16]}"'
