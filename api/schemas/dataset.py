"""Data sets over HTTP."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from app.core.requests import RequestModel
from app.db.datasets import DatasetRow
from app.jobs.states import JobState


class DatasetAnswer(BaseModel):
    """`state`: ingesting, ready or failed; rows_in = rows_ok + rows_rejected + rows_merged."""

    id: UUID
    name: str
    number: int
    ref: str
    state: str
    kind: str
    file_id: UUID
    job_id: UUID | None
    columns: list[dict[str, Any]]
    rows_in: int | None
    rows_ok: int | None
    rows_rejected: int | None
    rows_merged: int | None
    sha256: str | None
    labels: dict[str, str]
    created_at: datetime


class DatasetPage(BaseModel):
    items: list[DatasetAnswer]
    next_cursor: str | None


_Label = Annotated[str, Field(max_length=200)]


class DatasetPatch(RequestModel):
    """Labels are merged into those that are there; null removes one (RFC 7396)."""

    labels: dict[_Label, _Label | None] = Field(min_length=1, max_length=50)


class PreviewColumn(BaseModel):
    name: str
    role: str
    type: str
    unit: str | None
    missing: int
    distinct: int
    examples: list[str]


class PreviewAnswer(BaseModel):
    """`missing` and `distinct` count the sampled rows only."""

    format: str
    kind: str
    encoding: str | None
    separator: str | None
    decimal: str | None
    columns: list[PreviewColumn]
    notes: list[str]
    rows_sampled: int


class DiffCounts(BaseModel):
    before: int
    after: int
    added: int
    removed: int
    changed: int
    unchanged: int


class DiffAnswer(BaseModel):
    """`examples`: up to 50 rows each of added, removed and changed."""

    dataset: str
    against: str
    equal: bool
    #: smiles | the identifier's name | row
    matched_by: str
    rows: DiffCounts
    columns: dict[str, list[Any]]
    examples: dict[str, list[dict[str, Any]]]


def dataset_json(row: DatasetRow, job_state: str | None) -> dict[str, Any]:
    if row.manifest_key is not None:
        state = "ready"
    else:
        state = "failed" if job_state in (JobState.FAILED, JobState.CANCELLED) else "ingesting"
    plain = (
        *("id", "name", "number", "kind", "file_id", "job_id", "columns", "rows_in", "rows_ok"),
        *("rows_rejected", "rows_merged", "sha256", "labels", "created_at"),
    )
    body = {name: getattr(row, name) for name in plain}
    return body | {"ref": f"{row.name}:{row.number}", "state": state}
