"""Predictions against simulation or measurement over HTTP."""

from typing import Any, Literal

from pydantic import BaseModel


class QualityAnswer(BaseModel):
    """`ratio` is the error over `scale`; `rule` says how the grade follows."""

    grade: Literal["excellent", "good", "fair", "poor"] | None
    basis: Literal["tolerance", "unit", "spread", "value"] | None
    ratio: float | None
    scale: float | None
    rule: str


class ValueAnswer(BaseModel):
    predicted: float
    reference: float
    unit: str | None
    #: predicted - reference
    error: float
    absolute_error: float
    #: null where the reference is 0
    percent_error: float | None
    quality: QualityAnswer
    recommendation: str


class ItemAnswer(BaseModel):
    """By property; `missing`: the side without a value (predicted, reference, both)."""

    id: Any
    comparisons: dict[str, ValueAnswer]
    missing: dict[str, str]


class PropertyAnswer(BaseModel):
    """Of one property, in its unit; null where a figure is not defined."""

    unit: str | None
    n: int
    mae: float | None
    rmse: float | None
    bias: float | None
    max_absolute_error: float | None
    mean_percent_error: float | None
    n_percent: int
    r2: float | None
    spearman: float | None
    quality: QualityAnswer
    recommendation: str
    missing: dict[str, int]


class MatchedAnswer(BaseModel):
    """`by`: row, structure. `examples`: up to 5 of what only one side has."""

    by: str
    both: int
    only_predicted: int
    only_reference: int
    examples: dict[str, list[Any]]


class ComparisonsAnswer(BaseModel):
    """`items`: those sent, in order; of stored columns the 20 worst. Nothing is averaged over
    properties.
    """

    properties: dict[str, PropertyAnswer]
    items: list[ItemAnswer]
    matched: MatchedAnswer | None
    notes: list[str]
