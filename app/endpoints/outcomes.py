"""What was measured of something that an endpoint had predicted."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, FiniteFloat, model_validator
from sqlalchemy import insert
from sqlalchemy.orm import Session

from app.core.ids import new_id
from app.core.requests import RequestModel
from app.db.endpoints import EndpointOutcomeRow, EndpointRow

_Text = Annotated[str, Field(min_length=1, max_length=5_000)]


class Outcome(RequestModel):
    """Names the prediction by its request (X-Request-ID, with the input's `id` where it had more
    than one), or by its SMILES. The same again corrects what was said before.
    """

    request_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    structure: _Text | None = None
    target: Annotated[str, Field(min_length=1, max_length=200)]
    #: a number in the target's unit, or the class
    measured: FiniteFloat | Annotated[str, Field(min_length=1, max_length=200)]

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.request_id is None) == (self.structure is None):
            raise ValueError("name the prediction by `request_id` or by `structure`")
        if self.id is not None and self.request_id is None:
            raise ValueError("`id` is of an input of the request `request_id`")
        return self


def add_outcomes(
    session: Session, endpoint: EndpointRow, outcomes: Sequence[Outcome], *, by: str
) -> None:
    session.execute(
        insert(EndpointOutcomeRow),
        [
            {
                "id": new_id(),
                "project_id": endpoint.project_id,
                "endpoint_id": endpoint.id,
                "created_by": by,
                "labels": {},
                "request_id": outcome.request_id,
                "input_id": outcome.id,
                "structure": outcome.structure,
                "target": outcome.target,
                "number": None if isinstance(outcome.measured, str) else outcome.measured,
                "label": outcome.measured if isinstance(outcome.measured, str) else None,
            }
            for outcome in outcomes
        ],
    )
