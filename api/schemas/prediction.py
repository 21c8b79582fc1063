"""Interactive predictions over HTTP."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel


class ModelName(BaseModel):
    id: UUID
    name: str
    number: int


class PredictionItem(BaseModel):
    """`targets[name]`: value, interval and level, std; for classes also class, probabilities."""

    id: str | None
    input: str
    canonical_smiles: str | None
    status: str
    reason: str | None
    targets: dict[str, dict[str, Any]]


class PredictionsAnswer(BaseModel):
    model: ModelName
    predictions: list[PredictionItem]
    milliseconds: float
