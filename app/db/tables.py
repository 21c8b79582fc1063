"""Imports every table, so that `Base.metadata` is whole (migrations, tests)."""

from app.db.audit import AuditRow
from app.db.base import Base
from app.db.datasets import DatasetRow, SplitRow
from app.db.endpoints import (
    EndpointMinuteRow,
    EndpointOutcomeRow,
    EndpointRevisionRow,
    EndpointRow,
)
from app.db.evaluations import EvaluationRow
from app.db.events import EventCursorRow, EventRow, WebhookDeliveryRow, WebhookRow
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
from app.db.predictions import PredictionRow
from app.db.projects import ApiKeyRow, ProjectRow
from app.db.registry import AliasHistoryRow, AliasPolicyRow, RegistryNameRow
from app.db.schedules import ScheduleRow, ScheduleRunRow
from app.db.studies import StudyRow
from app.db.uploads import UploadRow

__all__ = [
    "AliasHistoryRow",
    "AliasPolicyRow",
    "AliasRow",
    "ApiKeyRow",
    "AuditRow",
    "Base",
    "DatasetRow",
    "EndpointMinuteRow",
    "EndpointOutcomeRow",
    "EndpointRevisionRow",
    "EndpointRow",
    "EvaluationRow",
    "EventCursorRow",
    "EventRow",
    "FileRow",
    "IdempotencyKeyRow",
    "JobAttemptRow",
    "JobChunkRow",
    "JobEventRow",
    "JobLogRow",
    "JobNeedRow",
    "JobRow",
    "ModelVersionRow",
    "PredictionRow",
    "ProjectRow",
    "RegistryNameRow",
    "ScheduleRow",
    "ScheduleRunRow",
    "SplitRow",
    "StudyRow",
    "UploadRow",
    "WebhookDeliveryRow",
    "WebhookRow",
]
