"""Interactive predictions over HTTP."""

from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel


class ModelName(BaseModel):
    id: UUID
    name: str
    number: int


class NearestRow(BaseModel):
    """A row that the model learned from."""

    #: in the file of the model's data set
    row: int
    smiles: str | None
    #: 0 to 1: Tanimoto of Morgan bits (radius 2, 2048); of table rows 1 / (1 + scaled distance)
    similarity: float
    #: by target: the number, or the class
    measured: dict[str, float | str]


class Domain(BaseModel):
    """Whether the model learned from anything like it."""

    #: similar enough to a training row and not too far from their centre
    inside: bool
    #: which of the two says that it is outside; answers that an older release gave and that are
    #: kept do not say
    outside_by: list[Literal["similarity", "leverage"]] = []
    #: to the nearest training row
    similarity: float
    #: distance from the centre of the training rows (Williams plot)
    leverage: float
    nearest: list[NearestRow]


class PredictionItem(BaseModel):
    """`targets[name]`: value, unit, interval, level, std, confidence; for classes value (its
    probability), class, probabilities, confidence.
    """

    id: str | None
    #: as it was sent: SMILES, or the values of a row
    input: str | dict[str, Any]
    canonical_smiles: str | None
    status: str
    reason: str | None
    #: what was put in for missing or unknown values of a row
    notes: list[str]
    targets: dict[str, dict[str, Any]]
    #: null where there is no prediction
    domain: Domain | None = None
    #: known before: the very same input, or its standardized structure
    cached: bool


class EndpointRevision(BaseModel):
    name: str
    revision: int


class FallbackNote(BaseModel):
    """Which inputs were answered by another model than the endpoint's route, and why."""

    model: ModelName
    cause: Literal["timeout", "error", "out_of_domain"]
    #: places among the inputs
    inputs: list[int]


class PredictionsAnswer(BaseModel):
    model: ModelName
    #: where the request named an endpoint
    endpoint: EndpointRevision | None = None
    fallback: FallbackNote | None = None
    predictions: list[PredictionItem]
    #: from the arrival of the request to the answer
    milliseconds: float
