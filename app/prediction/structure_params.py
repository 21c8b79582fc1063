"""What a `predict_structure` job takes."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.requests import RequestModel
from app.prediction.params import LONGEST_SMILES


class PredictStructureParams(RequestModel):
    """Predict one molecule with several models; the answers stand in the job's result."""

    structure: str = Field(min_length=1, max_length=100_000, examples=["CCO"])
    #: mol: a V2000 or V3000 Mol block, or a Tripos mol2 block
    format: Literal["smiles", "mol"] = "smiles"
    #: `<id>`, `name`, `name:3` or `name@alias`; each answers for itself
    models: tuple[Annotated[str, Field(max_length=130)], ...] = Field(
        min_length=1, max_length=20, examples=[["esol@champion"]]
    )
    #: the one target that is wanted; left out: all that the models predict
    property_name: str | None = Field(default=None, min_length=1, max_length=500)
    #: resolved by the gateway when the job was accepted (never sent by clients)
    model_ids: tuple[UUID, ...] | None = Field(default=None, max_length=20)

    @model_validator(mode="after")
    def _short_enough(self) -> Self:
        if self.format == "smiles" and len(self.structure) > LONGEST_SMILES:
            raise ValueError(f"a SMILES has at most {LONGEST_SMILES:,} characters")
        return self

    @model_validator(mode="after")
    def _each_model_once(self) -> Self:
        if len(set(self.models)) < len(self.models):
            raise ValueError("name each model once")
        return self
