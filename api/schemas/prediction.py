"""Interactive predictions over HTTP."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel


class ModelName(BaseModel):
    id: UUID
    name: str
    number: int


class PredictionItem(BaseModel):
    """`targets[name]`: value, unit, interval, level, std; for classes class, probabilities."""

    id: str | None
    #: as it was sent: SMILES, or the values of a row
    input: str | dict[str, Any]
    canonical_smiles: str | None
    status: str
    reason: str | None
    #: what was put in for missing or unknown values of a row
    notes: list[str]
    targets: dict[str, dict[str, Any]]


class PredictionsAnswer(BaseModel):
    model: ModelName
    predictions: list[PredictionItem]
    milliseconds: float
