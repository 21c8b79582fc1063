"""What an `ingest` job takes."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from app.core.requests import RequestModel, Slug

ColumnRole = Literal["smiles", "target", "id", "split", "ignore"]


class IngestParams(RequestModel):
    """Read a file into a dataset. What is not said is guessed, and the guess is in the report."""

    file_id: UUID
    #: dataset name; each ingest makes its next version
    name: Slug
    #: auto: by file name and content
    format: Literal["auto", "csv", "sdf"] = "auto"
    #: overrides of guessed roles, {"column name": role}
    roles: dict[str, ColumnRole] = Field(default_factory=dict, max_length=5_000)
    #: duplicates (equal standardized structure): `merge` averages numeric targets (arithmetic mean)
    #: and takes the majority of class labels (a tie is rejected); `keep_first` keeps the first row;
    #: `keep_all` merges nothing
    duplicates: Literal["merge", "keep_first", "keep_all"] = "merge"
    #: succeed only when at most this share of rows is refused
    max_bad_fraction: float = Field(default=0.5, ge=0, le=1)
    #: dataset row made by the gateway when the job was accepted (never sent by clients)
    dataset_id: UUID | None = None
