"""Retort's Python client: three lines to a prediction.

from retort import Retort
client = Retort()
client.predict("esol@champion", ["CCO", "c1ccccc1O"])
"""

from retort._async.client import AsyncRetort
from retort._async.objects import AsyncDataset, AsyncJob, AsyncModel
from retort._sync.client import Retort
from retort._sync.objects import Dataset, Job, Model
from retort.errors import (
    Conflict,
    ConnectionFailed,
    DependencyFailed,
    EmptyFile,
    Forbidden,
    HashMismatch,
    IdempotencyKeyReused,
    InvalidRequest,
    JobCancelled,
    JobDeadlineExceeded,
    JobFailed,
    ModelAltered,
    NoStructureColumn,
    NotConfigured,
    NotFound,
    PayloadTooLarge,
    RetortError,
    RowsRefused,
    ServerFault,
    TimedOut,
    TooManyInputs,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnknownName,
    UnreadableFile,
    UploadIncomplete,
    WorkerLost,
)
from retort.predictions import Prediction, Predictions
from retort.stream import Event
from retort.version import __version__

__all__ = [
    "AsyncDataset",
    "AsyncJob",
    "AsyncModel",
    "AsyncRetort",
    "Conflict",
    "ConnectionFailed",
    "Dataset",
    "DependencyFailed",
    "EmptyFile",
    "Event",
    "Forbidden",
    "HashMismatch",
    "IdempotencyKeyReused",
    "InvalidRequest",
    "Job",
    "JobCancelled",
    "JobDeadlineExceeded",
    "JobFailed",
    "Model",
    "ModelAltered",
    "NoStructureColumn",
    "NotConfigured",
    "NotFound",
    "PayloadTooLarge",
    "Prediction",
    "Predictions",
    "Retort",
    "RetortError",
    "RowsRefused",
    "ServerFault",
    "TimedOut",
    "TooManyInputs",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "UnknownName",
    "UnreadableFile",
    "UploadIncomplete",
    "WorkerLost",
    "__version__",
]
