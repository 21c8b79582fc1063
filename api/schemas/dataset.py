"""Data sets over HTTP."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel

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
    created_at: datetime


class DatasetPage(BaseModel):
    items: list[DatasetAnswer]
    next_cursor: str | None


def dataset_json(row: DatasetRow, job_state: str | None) -> dict[str, Any]:
    if row.manifest_key is not None:
        state = "ready"
    else:
        state = "failed" if job_state in (JobState.FAILED, JobState.CANCELLED) else "ingesting"
    plain = (
        *("id", "name", "number", "kind", "file_id", "job_id", "columns", "rows_in", "rows_ok"),
        *("rows_rejected", "rows_merged", "sha256", "created_at"),
    )
    body = {name: getattr(row, name) for name in plain}
    return body | {"ref": f"{row.name}:{row.number}", "state": state}
