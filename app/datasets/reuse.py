"""The data set that an equal file has become already, so that it is not ingested again."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.db.datasets import DatasetRow
from app.db.files import FileRow
from app.db.jobs import JobRow


def ingested_from(
    session: Session, project_id: UUID, *, name: str, sha256: str, roles: Mapping[str, str]
) -> DatasetRow | None:
    """The newest version of `name` made (or being made) from this content with these roles."""
    return session.scalar(
        select(DatasetRow)
        .join(FileRow, FileRow.id == DatasetRow.file_id)
        .join(JobRow, JobRow.id == DatasetRow.job_id)
        .where(
            DatasetRow.project_id == project_id,
            DatasetRow.name == name,
            FileRow.sha256 == sha256,
            JobRow.params["roles"] == dict(roles),
            JobRow.state.not_in(("failed", "cancelled")),
        )
        .order_by(DatasetRow.number.desc())
        .limit(1)
    )


def newest_version(session: Session, project_id: UUID, name: str) -> int | None:
    return session.scalar(
        select(func.max(DatasetRow.number)).where(
            DatasetRow.project_id == project_id, DatasetRow.name == name
        )
    )
