"""What OSDR's services (S0) answered, field by field; they take the commands of app/commands."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.schemas.problem import ProblemDocument

_JOB = "019aa3b2-91aa-7d11-9c5e-2f6a4c3b1d00"


class OsdrAccepted(BaseModel):
    """It goes on; ask `Location`."""

    status: Literal["accepted"]
    id: str = Field(description="As the client sent it.", examples=["fv-4711"])
    job_id: str = Field(examples=[_JOB])
    #: of feature vectors: what /train-model takes
    dataset_id: str | None = None


class OsdrFeatures(BaseModel):
    """Feature vectors are stored, for whoever trains on the data set."""

    status: Literal["completed"]
    id: str
    job_id: str
    dataset_id: str
    #: rows of the data set, width of the matrix, rows without features
    structures: int
    columns: int
    failed: int


class OsdrTrained(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    status: Literal["completed"]
    model_id: str = Field(examples=["model-1f0c9a2b7d3e"])
    job_id: str = Field(examples=[_JOB])


class OsdrPredicted(BaseModel):
    status: Literal["completed"]
    #: by the columns of predictions.csv, each with its number `row`; null for more than 1,000 rows
    predictions: list[dict[str, Any]] | None
    rows_total: int
    #: the same rows by pages, for any number of them
    predictions_url: str = Field(examples=[f"/api/v1/jobs/{_JOB}/predictions"])
    job_id: str = Field(examples=[_JOB])


class OsdrProblemDocument(ProblemDocument):
    """RFC 9457, but that `status` is OSDR's word; the number is in the status line."""

    # an example of the base would say a number
    model_config = ConfigDict(json_schema_extra={})

    status: Literal["failed"]  # type: ignore[assignment] # OSDR's clients look for the word here


OSDR_PROBLEMS: dict[int | str, dict[str, object]] = {
    status: {"model": OsdrProblemDocument, "description": text}
    for status, text in (
        (400, "The body is malformed"),
        (401, "No valid API key"),
        (403, "The key's role, or its scopes, lack the right that this takes"),
        (404, "Not found"),
        (409, "The same command is being stored right now"),
        (413, "The body is too large"),
        (415, "The body is of another media type than the route takes"),
        (422, "The request or the data is wrong"),
        (429, "More than your key or project may have; see Retry-After"),
        (500, "The job was cancelled, or failed of a fault of ours"),
        (503, "A part of the cluster does not answer; see Retry-After"),
    )
}
