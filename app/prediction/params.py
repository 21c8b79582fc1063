"""What a `predict` job and the synchronous route take."""

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.requests import RequestModel
from app.datasets.params import DecimalSign, FileFormat

#: `<id>` | `name` (its @champion, else the newest) | `name:3` | `name@alias`
ModelRef = str
ResultFormat = Literal["parquet", "csv", "sdf"]


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
    #: left out: chosen by what a row of the model costs, so that a chunk takes 2 to 20 seconds
    chunk_rows: int | None = Field(default=None, ge=1, le=1_000_000)
    #: sdf: of molecules only; the structures with coordinates, and the answer as properties
    formats: tuple[ResultFormat, ...] = Field(default=("parquet", "csv"), min_length=1)
    #: take features of the same file from the cache, and leave them there for the next model
    cache: bool = True
    #: resolved by the gateway when the job was accepted (never sent by clients)
    model_id: UUID | None = None
    dataset_id: UUID | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file_id is None) == (self.dataset is None):
            raise ValueError("give either file_id or dataset")
        return self

    @model_validator(mode="after")
    def _each_format_once(self) -> Self:
        if len(set(self.formats)) < len(self.formats):
            raise ValueError("name each format once")
        return self


#: characters of a SMILES in a request
LONGEST_SMILES = 5_000


class PredictionInput(RequestModel):
    """A molecule, a row of a table, or a molecule with the columns beside it; whichever the model
    learned from.
    """

    smiles: str | None = Field(default=None, max_length=LONGEST_SMILES, examples=["CCO"])
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

    #: a model, or `endpoint:<name>`
    model: ModelRef = Field(max_length=130, examples=["esol@champion", "endpoint:solubility"])
    inputs: tuple[PredictionInput | str, ...] = Field(min_length=1, max_length=10_000)
    #: compute anew what is in the cache
    force_recompute: bool = False
    #: store the answers: GET /predictions
    remember: bool = False
    #: of an endpoint: requests with the same key are answered by the same model
    sticky_key: str | None = Field(default=None, max_length=500)
    #: job: what cannot be answered in time becomes a `predict` job; none: it is refused (503)
    fallback: Literal["none", "job"] = "none"
