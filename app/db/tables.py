"""Imports every table, so that `Base.metadata` is whole (migrations, tests)."""

from app.db.base import Base
from app.db.datasets import DatasetRow, SplitRow
from app.db.evaluations import EvaluationRow
from app.db.files import FileRow
from app.db.jobs import (
    IdempotencyKeyRow,
    JobAttemptRow,
    JobChunkRow,
    JobEventRow,
    JobLogRow,
    JobNeedRow,
    JobRow,
)
from app.db.models import AliasRow, ModelVersionRow
from app.db.projects import ApiKeyRow, ProjectRow
from app.db.studies import StudyRow
from app.db.uploads import UploadRow

__all__ = [
    "AliasRow",
    "ApiKeyRow",
    "Base",
    "DatasetRow",
    "EvaluationRow",
    "FileRow",
    "IdempotencyKeyRow",
    "JobAttemptRow",
    "JobChunkRow",
    "JobEventRow",
    "JobLogRow",
    "JobNeedRow",
    "JobRow",
    "ModelVersionRow",
    "ProjectRow",
    "SplitRow",
    "StudyRow",
    "UploadRow",
]
