"""What a `predict` job and the synchronous route take."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.requests import RequestModel
from app.datasets.params import DecimalSign, FileFormat

#: `<id>` | `name` (its @champion, else the newest) | `name:3` | `name@alias`
ModelRef = str


class PredictParams(RequestModel):
    """Predict every row of a file, in order. One of `file_id`, `dataset`."""

    model: ModelRef = Field(max_length=130, examples=["esol@champion"])
    file_id: UUID | None = None
    #: the raw file that this dataset was read from
    dataset: str | None = Field(default=None, max_length=100)
    #: left out: guessed as in ingest
    smiles_column: str | None = Field(default=None, max_length=500)
    id_column: str | None = Field(default=None, max_length=500)
    format: FileFormat = "auto"
    #: sheet of an Excel workbook; left out: the first that is not empty
    sheet: str | None = Field(default=None, max_length=100)
    #: how numbers are written; auto: seen from the first rows
    decimal: DecimalSign = "auto"
    #: left out: chosen so that there are at most 200 chunks
    chunk_rows: int | None = Field(default=None, ge=1, le=1_000_000)
    #: resolved by the gateway when the job was accepted (never sent by clients)
    model_id: UUID | None = None
    dataset_id: UUID | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file_id is None) == (self.dataset is None):
            raise ValueError("give either file_id or dataset")
        return self


class PredictionInput(RequestModel):
    """A molecule, a row of a table, or a molecule with the columns beside it; whichever the model
    learned from.
    """

    smiles: str | None = Field(default=None, max_length=5_000, examples=["CCO"])
    #: {column: value} with every column that the model learned from; null: not known
    features: dict[str, bool | float | Annotated[str, Field(max_length=10_000)] | None] | None = (
        Field(default=None, max_length=5_000)
    )
    id: str | None = Field(default=None, max_length=500)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.smiles is None and self.features is None:
            raise ValueError("give smiles, features or both, as the model learned from them")
        return self


class PredictionsRequest(RequestModel):
    """Up to `max_interactive_inputs` molecules or rows, answered at once by a warm worker."""

    model: ModelRef = Field(max_length=130, examples=["esol@champion"])
    inputs: tuple[PredictionInput | str, ...] = Field(min_length=1, max_length=10_000)
