"""Evaluations over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from app.db.evaluations import EvaluationRow


class EvaluationAnswer(BaseModel):
    """`metrics[target][metric]` is {value, ci_low, ci_high}, `baseline` likewise; `targets[target]`
    holds confusion_matrix and classification_report, or residuals; `uncertainty[target]` whether
    intervals or probabilities hold what they say, `domain` the share of rows inside it;
    `noise_ceiling[target]` what a perfect model would score, where the data set has replicates.
    """

    id: UUID
    model_id: UUID
    dataset_id: UUID
    job_id: UUID | None
    part: str
    metrics: dict[str, Any]
    baseline: dict[str, Any]
    mean: dict[str, Any]
    baseline_mean: dict[str, Any]
    targets: dict[str, Any]
    feature_importance: dict[str, Any]
    uncertainty: dict[str, Any] = {}
    domain: dict[str, Any] = {}
    noise_ceiling: dict[str, Any] = {}
    rows: dict[str, Any]
    created_at: datetime


class EvaluationPage(BaseModel):
    items: list[EvaluationAnswer]
    next_cursor: str | None


def evaluation_json(row: EvaluationRow) -> dict[str, Any]:
    names = ("id", "model_id", "dataset_id", "job_id", "part", "metrics", "created_at")
    return {**{name: getattr(row, name) for name in names}, **row.details}
