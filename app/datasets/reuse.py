"""The data set that an equal file has become already, so that it is not ingested again."""

import re
from collections.abc import Mapping
from pathlib import PurePath
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.datasets import DatasetRow
from app.db.files import FileRow
from app.db.jobs import JobRow


def ingested_from(
    session: Session,
    project_id: UUID,
    *,
    sha256: str,
    name: str | None = None,
    roles: Mapping[str, str] | None = None,
) -> DatasetRow | None:
    """The newest that was made (or is being made) from this content: a version of `name` where that
    is said, with these roles where they are.
    """
    query = (
        select(DatasetRow)
        .join(FileRow, FileRow.id == DatasetRow.file_id)
        .join(JobRow, JobRow.id == DatasetRow.job_id)
        .where(
            DatasetRow.project_id == project_id,
            FileRow.sha256 == sha256,
            JobRow.state.not_in(("failed", "cancelled")),
        )
    )
    if name is not None:
        query = query.where(DatasetRow.name == name)
    if roles is not None:
        query = query.where(JobRow.params["roles"] == dict(roles))
    # of several names the last that was made; of one its newest version
    return session.scalar(query.order_by(DatasetRow.id.desc()).limit(1))


def newest_version(session: Session, project_id: UUID, name: str) -> int | None:
    return session.scalar(
        select(func.max(DatasetRow.number)).where(
            DatasetRow.project_id == project_id, DatasetRow.name == name
        )
    )


def name_of_file(path: str) -> str:
    """A data set's name from a file's."""
    stem = PurePath(path).name.split(".")[0].lower()
    return re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-._")[:63] or "dataset"
