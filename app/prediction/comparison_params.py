"""What a comparison takes: pairs of values in the request, or two stored columns."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.requests import RequestModel
from app.prediction.params import ModelRef

_MAX_ITEMS = 10_000
_MAX_PROPERTIES = 100
_MAX_VALUES = 100_000

Name = Annotated[str, Field(min_length=1, max_length=500)]
Unit = Annotated[str, Field(min_length=1, max_length=50)]
Tolerance = Annotated[float, Field(gt=0, le=1e100, allow_inf_nan=False)]
Numbers = Annotated[
    dict[Name, Annotated[float, Field(allow_inf_nan=False)] | None],
    Field(max_length=_MAX_PROPERTIES),
]
Units = Annotated[dict[Name, Unit], Field(max_length=_MAX_PROPERTIES)]


class ComparedItem(RequestModel):
    """One thing: {property: number} as predicted, and as simulated or measured; null: not known."""

    predicted: Numbers
    reference: Numbers
    id: str | None = Field(default=None, max_length=500)


class StoredValues(RequestModel):
    """A column of numbers that is here already. One of `dataset`, `job`, `model`."""

    #: a column of this data set
    dataset: str | None = Field(default=None, max_length=100)
    #: what this predict job predicted
    job: UUID | None = None
    #: what this model predicted in its own evaluation, of rows that it had not learned from
    model: ModelRef | None = Field(default=None, max_length=130)
    part: Literal["test", "out_of_fold", "validation"] = "test"
    #: of a data set its column; of a job or model the target (left out: the only one)
    column: Name | None = None
    #: left out: that of the column or target, if it is known
    unit: Unit | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.dataset, self.job, self.model)) != 1:
            raise ValueError("give one of dataset, job and model")
        if self.dataset is not None and self.column is None:
            raise ValueError("name the column of the data set")
        return self


class ComparisonsRequest(RequestModel):
    """Either `items`, with `units`, `reference_units` and `tolerances` by property; or `predicted`
    and `reference`, two stored columns of one property, with `tolerance`.
    """

    items: (
        Annotated[tuple[ComparedItem, ...], Field(min_length=1, max_length=_MAX_ITEMS)] | None
    ) = None
    #: of the predictions, the answer and the tolerances
    units: Units = Field(default_factory=dict)
    #: of the reference, where they are others
    reference_units: Units = Field(default_factory=dict)
    #: an error up to this size is good
    tolerances: Annotated[dict[Name, Tolerance], Field(max_length=_MAX_PROPERTIES)] = Field(
        default_factory=dict
    )
    predicted: StoredValues | None = None
    reference: StoredValues | None = None
    #: in the unit of `predicted`
    tolerance: Tolerance | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        stored = (self.predicted, self.reference)
        if self.items is None:
            if None in stored:
                raise ValueError("give items, or both predicted and reference")
            if self.units or self.reference_units or self.tolerances:
                raise ValueError("units and tolerances by property belong to items")
        elif stored != (None, None) or self.tolerance is not None:
            raise ValueError("predicted, reference and tolerance belong to stored columns")
        elif self.n_values > _MAX_VALUES:
            raise ValueError(f"{self.n_values} values are more than {_MAX_VALUES}")
        return self

    @property
    def n_values(self) -> int:
        """Numbers in the request."""
        return sum(len(item.predicted) + len(item.reference) for item in self.items or ())
