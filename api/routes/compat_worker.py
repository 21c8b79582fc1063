"""The ML worker's own routes (S4), so that its clients need a new address only: /compat/worker/*.

Each waits up to 25 s for the end (200); what lasts longer is answered 202, with the job's address
in `Location`: asked there, the answer is the same as it would have been here. What goes wrong is a
problem document that also has S4's members `success` (false) and `message`.
"""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api.compat.following import asked_again, followed
from api.compat.worker_answers import algorithm_list, answer_of, evaluated, pending
from api.compat.worker_jobs import WorkerJobs
from api.dependencies import Caller, WithDispatcher, WithNotifier, WithResources
from api.notifier import JobNotifier
from api.responses import json_response, preference_applied
from api.rights import OPEN, Guarded, needs
from api.routes.jobs import IdempotencyKey, Prefer
from api.schemas.compat_worker import (
    WorkerAlgorithms,
    WorkerEvaluateAnswer,
    WorkerOptimizeAnswer,
    WorkerOptimizeRequest,
    WorkerPending,
    WorkerTrainAnswer,
    WorkerTrainRequest,
)
from api.schemas.problem import PROBLEMS
from app.access.principal import Principal
from app.access.rights import Right
from app.core.errors import NotFound
from app.db.models import ModelVersionRow
from app.jobs.model import Job
from app.jobs.store import get_job
from app.models.short_ids import find_by_short_id
from app.resources import Resources

PREFIX = "/compat/worker"
router = APIRouter(
    route_class=Guarded, prefix=PREFIX, tags=["ML worker (compatibility)"], responses=PROBLEMS
)

_PENDING: Any = {202: {"model": WorkerPending}}


@router.post(
    "/train",
    response_model=WorkerTrainAnswer,
    responses=_PENDING,
    dependencies=[needs(Right.JOBS_WRITE)],
)
async def train(
    request: WorkerTrainRequest,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    notifier: WithNotifier,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response:
    """Train on a file below an import folder; all its other columns are features."""
    jobs = WorkerJobs(resources, caller, dispatcher)
    job = await run_in_threadpool(jobs.train, request, idempotency_key)
    return await _ended(resources, notifier, job, prefer)


@router.post(
    "/optimize",
    response_model=WorkerOptimizeAnswer,
    responses=_PENDING,
    dependencies=[needs(Right.JOBS_WRITE)],
)
async def optimize(
    request: WorkerOptimizeRequest,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    notifier: WithNotifier,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response:
    """Search the algorithm's documented space by cross-validation; `best_params` train as they are.

    At most MAX_TRIALS trials. The rows that /train tests on are not touched.
    """
    jobs = WorkerJobs(resources, caller, dispatcher)
    job = await run_in_threadpool(jobs.optimize, request, idempotency_key)
    return await _ended(resources, notifier, job, prefer)


@router.get(
    "/model/{model_id}/evaluate",
    response_model=WorkerEvaluateAnswer,
    responses=_PENDING,
    dependencies=[needs(Right.JOBS_WRITE)],
)
async def evaluate(
    model_id: str,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    notifier: WithNotifier,
    prefer: Prefer = None,
) -> Response:
    """The newest figures on the model's test rows; made now when there are none."""
    jobs = WorkerJobs(resources, caller, dispatcher)
    model = await run_in_threadpool(_model, resources, caller, model_id)
    found = await run_in_threadpool(jobs.evaluate, model)
    if isinstance(found, Job):
        return await _ended(resources, notifier, found, prefer)
    return json_response(evaluated(found.metrics, found.details))


@router.get(
    "/jobs/{job_id}",
    response_model=dict[str, Any],
    responses=_PENDING,
    dependencies=[needs(Right.READ)],
)
async def job_answer(
    job_id: UUID,
    caller: Caller,
    resources: WithResources,
    notifier: WithNotifier,
    prefer: Prefer = None,
) -> Response:
    """What the route that started this job answers, once it has ended."""
    job = await run_in_threadpool(get_job, resources.database, caller.project_id, job_id)
    if job.labels.get("compat") != "worker" or job.kind == "ingest":
        raise NotFound(f"job {job_id} was not started here", remedy="See /api/v1/jobs/{job_id}.")
    return await _ended(resources, notifier, job, prefer)


@router.get("/algorithms", response_model=WorkerAlgorithms, dependencies=[needs(Right.READ)])
def list_algorithms(caller: Caller) -> Response:
    del caller
    return json_response(algorithm_list())


@router.get("/health", dependencies=[OPEN])
def health() -> Response:
    """Open: no key is needed."""
    return json_response({"status": "healthy", "service": "retort"})


def _model(resources: Resources, caller: Principal, text: str) -> ModelVersionRow:
    with resources.database.session() as session:
        return find_by_short_id(session, ModelVersionRow, caller.project_id, "model", text)


async def _ended(
    resources: Resources, notifier: JobNotifier, job: Job, prefer: str | None
) -> Response:
    job = await followed(resources, notifier, job, prefer)
    headers = preference_applied(prefer)
    if not job.is_terminal:
        return asked_again(pending(job), f"{PREFIX}/jobs/{job.id}", headers)
    return json_response(answer_of(job), headers=headers)
