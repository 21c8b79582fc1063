"""Models on their way out and in: an export is a job that makes a file, an import reads one."""

from fastapi import APIRouter, Response

from api.dependencies import Caller, WithDispatcher, WithResources
from api.job_desk import accept
from api.responses import json_response
from api.rights import Guarded, needs
from api.routes.jobs import IdempotencyKey
from api.schemas.job import JobAnswer, job_json
from api.schemas.problem import PROBLEMS
from app.access.rights import Right
from app.exporting.params import ExportParams, ExportRequest, ImportParams
from app.jobs.model import Job
from app.kinds import Submission

router = APIRouter(route_class=Guarded, prefix="/models", tags=["models"], responses=PROBLEMS)


@router.post("", status_code=202, response_model=JobAnswer, dependencies=[needs(Right.JOBS_WRITE)])
def import_model(
    request: ImportParams,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Make an uploaded bundle the next version of a name. The job checks every hash, loads it and
    predicts its own rows before anything is kept; its result names the version.
    """
    submission = Submission(kind="import_model", params=request)
    return _accepted(accept(resources, caller, dispatcher, submission, idempotency_key).job)


@router.post(
    "/{ref}/export",
    status_code=202,
    response_model=JobAnswer,
    dependencies=[needs(Right.JOBS_WRITE)],
)
def export(
    ref: str,
    request: ExportRequest,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Write a version as a bundle, an MLflow pyfunc model or an ONNX graph. The job's result names
    the file; GET /api/v1/files/{file_id}/content downloads it.
    """
    params = ExportParams(model=ref, format=request.format)
    submission = Submission(kind="export", params=params)
    return _accepted(accept(resources, caller, dispatcher, submission, idempotency_key).job)


def _accepted(job: Job) -> Response:
    headers = {"Location": f"/api/v1/jobs/{job.id}", "Retry-After": "1"}
    return json_response(job_json(job), status=202, headers=headers)
