"""Jobs over HTTP: the typed request per kind, and the answer."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from app.comparison.params import CompareParams
from app.core.requests import RequestModel
from app.datasets.params import IngestParams
from app.evaluation.params import EvaluateParams
from app.exporting.params import ExportParams, ImportParams
from app.features.params import FeaturizeParams
from app.jobs.model import Job
from app.kinds import KINDS
from app.kinds.from_results import contains_references
from app.prediction.params import PredictParams
from app.prediction.structure_params import PredictStructureParams
from app.training.params import TrainParams
from app.tuning.params import OptimizeParams

Label = Annotated[str, Field(max_length=200)]


class JobFields(RequestModel):
    """What every kind takes beside its params."""

    #: jobs that must succeed first
    needs: tuple[UUID, ...] = Field(default=(), max_length=100)
    labels: dict[Label, Label] = Field(default_factory=dict, max_length=50)
    #: past it, a job that has not started fails and a running one is stopped
    deadline_seconds: float | None = Field(default=None, gt=0, le=30 * 86_400)
    priority: int = Field(default=5, ge=0, le=9)
    client_ref: str | None = Field(default=None, max_length=200)
    correlation_id: str | None = Field(default=None, max_length=200)


class IngestJob(JobFields):
    kind: Literal["ingest"]
    params: IngestParams


class FeaturizeJob(JobFields):
    kind: Literal["featurize"]
    params: FeaturizeParams


class TrainJob(JobFields):
    kind: Literal["train"]
    params: TrainParams


class OptimizeJob(JobFields):
    kind: Literal["optimize"]
    params: OptimizeParams


class CompareJob(JobFields):
    kind: Literal["compare"]
    params: CompareParams


class PredictJob(JobFields):
    kind: Literal["predict"]
    params: PredictParams


class PredictStructureJob(JobFields):
    kind: Literal["predict_structure"]
    params: PredictStructureParams


class EvaluateJob(JobFields):
    kind: Literal["evaluate"]
    params: EvaluateParams


class ExportJob(JobFields):
    kind: Literal["export"]
    params: ExportParams


class ImportModelJob(JobFields):
    kind: Literal["import_model"]
    params: ImportParams


class DeferredJob(JobFields):
    """Some values are still to come: `params` is checked when the job is stored."""

    kind: Annotated[str, Field(max_length=50)]
    params: dict[str, Any]


def _or_deferred(value: Any, whole: ValidatorFunctionWrapHandler) -> Any:
    """`params` with {"$from": ...} in it cannot be of its kind's type yet."""
    if not isinstance(value, dict) or not contains_references(value.get("params")):
        return whole(value)
    job = DeferredJob.model_validate(value)
    if job.kind not in KINDS:
        return whole(value)
    return job


JobRequest = Annotated[
    IngestJob
    | FeaturizeJob
    | TrainJob
    | OptimizeJob
    | CompareJob
    | PredictJob
    | PredictStructureJob
    | EvaluateJob
    | ExportJob
    | ImportModelJob,
    # not Field(discriminator=...): FastAPI would put it around the validator, and every wrong
    # request be told about every kind
    Discriminator("kind"),
    WrapValidator(_or_deferred),
]


class JobAnswer(BaseModel):
    """A job as it is now; `error` is a problem document without HTTP's part."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "019aa3b2-7c4e-7d11-9c5e-2f6a4c3b1d00",
                "kind": "train",
                "state": "running",
                "progress": {"done": 2, "total": 5, "percent": 40.0, "stage": "fit"},
            }
        }
    )

    id: UUID
    kind: str
    state: str
    queue: str
    priority: int
    params: dict[str, Any]
    labels: dict[str, str]
    needs: list[UUID]
    parent_id: UUID | None
    rerun_of: UUID | None
    progress: dict[str, Any]
    counts: dict[str, int]
    attempt: int
    max_attempts: int
    cancel_requested: bool
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    warnings: list[dict[str, Any]]
    created_by: str
    correlation_id: str | None
    client_ref: str | None
    created_at: datetime
    run_at: datetime | None
    deadline_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    worker: str | None
    version: int
    links: dict[str, str]


_PLAIN = (
    *("id", "kind", "state", "queue", "priority", "params", "labels", "needs", "parent_id"),
    *("rerun_of", "progress", "counts", "attempt", "max_attempts", "result", "error", "warnings"),
    *("created_by", "correlation_id", "client_ref", "created_at", "run_at", "deadline_at"),
    *("started_at", "finished_at", "worker", "version"),
)


def job_json(job: Job) -> dict[str, Any]:
    """Of JobAnswer's shape, without validating again what Postgres holds (the hot path)."""
    body = {name: getattr(job, name) for name in _PLAIN}
    body["cancel_requested"] = job.cancel_requested_at is not None
    link = f"/api/v1/jobs/{job.id}"
    body["links"] = {
        "self": link,
        "events": f"{link}/events",
        "logs": f"{link}/logs",
        "artifacts": f"{link}/artifacts",
    }
    return body


class JobPage(BaseModel):
    items: list[JobAnswer]
    next_cursor: str | None
