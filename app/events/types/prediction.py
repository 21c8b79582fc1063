"""Of predictions."""

from pydantic import Field

from app.events.types.base import FailedJobData, JobEventData, Json


class PropertiesPredicted(JobEventData):
    """A file was predicted."""

    file_id: str | None = Field(description="Of the predictions, in the first format asked for.")
    file_name: str | None
    files: dict[str, str] = Field(description="Name to id, of every file that the job made.")
    counts: dict[str, int] = Field(description="Rows: rows_total, rows_ok, rows_failed, ...")
    model_id: str
    model: str = Field(description="name:number")
    version: int | None


class PredictionFailed(FailedJobData):
    """A prediction failed or was cancelled. Elsewhere called PropertiesPredictionFailed."""


class PredictedResultReady(JobEventData):
    """One molecule was predicted by the models that were asked, or they said why not."""

    data: Json = Field(
        description="structure, canonical_smiles, milliseconds; models: of each what it is, its"
        " targets, its domain or its reason; consensus: what two or more say together, by target."
    )
