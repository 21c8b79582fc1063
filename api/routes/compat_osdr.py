"""OSDR's own routes (S0), so that its clients need a new address only: /compat/osdr/api/v1/*.

Bodies are the commands that also come as messages (app/commands); `id` is the client's reference
and stands for the body: the same again is the same job. Training and prediction wait up to 25 s for
the end (`Prefer: wait=N` says otherwise); what lasts longer is answered 202 "accepted", with the
job's address in `Location`. What goes wrong is a problem document whose `status` is "failed".
"""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api.compat.following import asked_again, followed
from api.compat.osdr_answers import accepted, answer_of
from api.dependencies import Caller, WithDispatcher, WithNotifier, WithResources
from api.notifier import JobNotifier
from api.once import REPLAYED
from api.responses import json_response, preference_applied
from api.rights import Guarded, needs
from api.routes.jobs import Prefer
from api.schemas.compat_osdr import (
    OSDR_PROBLEMS,
    OsdrAccepted,
    OsdrFeatures,
    OsdrPredicted,
    OsdrTrained,
)
from app.access.principal import Principal
from app.access.rights import Right
from app.commands.submitting import submit_command
from app.commands.types import CalculateFeatureVectors, Command, PredictProperties, TrainModel
from app.core.errors import NotFound
from app.jobs.model import Job
from app.jobs.store import get_job
from app.kinds import Submitted
from app.kinds.once import patiently
from app.resources import Resources
from workers.dispatch import Dispatcher

PREFIX = "/compat/osdr/api/v1"
router = APIRouter(
    route_class=Guarded, prefix=PREFIX, tags=["OSDR (compatibility)"], responses=OSDR_PROBLEMS
)

_ACCEPTED: Any = {202: {"model": OsdrAccepted, "description": "It goes on; ask `Location`"}}
_FEATURES: Any = {200: {"model": OsdrFeatures, "description": "With `Prefer: wait=N`, in time"}}
_COMPAT = "osdr"
_KINDS = frozenset({"featurize", "train", "predict"})


@router.post(
    "/calculate-feature-vectors",
    status_code=202,
    response_model=OsdrAccepted,
    responses=_FEATURES,
    dependencies=[needs(Right.JOBS_WRITE)],
)
async def calculate_feature_vectors(
    command: CalculateFeatureVectors,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    notifier: WithNotifier,
    prefer: Prefer = None,
) -> Response:
    """Compute and store the features of a file's molecules. `bucket`: `retort`, with the id of a
    file that was sent to POST /api/v1/files as `blob_id`; or the name of an import folder, with a
    path below it. It becomes a data set first, whose id is answered. Does not wait by itself.
    """
    submitted = await run_in_threadpool(_submitted, resources, caller, dispatcher, command)
    return await _followed(resources, notifier, submitted, prefer, usual=0.0)


@router.post(
    "/train-model",
    response_model=OsdrTrained,
    responses=_ACCEPTED,
    dependencies=[needs(Right.JOBS_WRITE)],
)
async def train_model(
    command: TrainModel,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    notifier: WithNotifier,
    prefer: Prefer = None,
) -> Response:
    """Train on a data set. `algorithm`: OSDR's name of a method (randomforest, nearestneighbors,
    extremegradientboosting, ...) in any case, or one of GET /api/v1/catalog/algorithms. `params`
    takes whatever else a `train` job does.
    """
    submitted = await run_in_threadpool(_submitted, resources, caller, dispatcher, command)
    return await _followed(resources, notifier, submitted, prefer)


@router.post(
    "/predict-properties",
    response_model=OsdrPredicted,
    responses=_ACCEPTED,
    dependencies=[needs(Right.JOBS_WRITE)],
)
async def predict_properties(
    command: PredictProperties,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    notifier: WithNotifier,
    prefer: Prefer = None,
) -> Response:
    """Predict every row of the file that the data set was read from. Up to 1,000 rows are in the
    answer; more are read from `predictions_url`.
    """
    submitted = await run_in_threadpool(_submitted, resources, caller, dispatcher, command)
    return await _followed(resources, notifier, submitted, prefer)


@router.get(
    "/jobs/{job_id}",
    response_model=dict[str, Any],
    responses=_ACCEPTED,
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
    if job.labels.get("compat") != _COMPAT or job.kind not in _KINDS:
        raise NotFound(f"job {job_id} was not started here", remedy="See /api/v1/jobs/{job_id}.")
    return await _followed(resources, notifier, Submitted(job=job, replayed=False), prefer)


def _submitted(
    resources: Resources, caller: Principal, dispatcher: Dispatcher, command: Command
) -> Submitted:
    """Rights and ownership are the key's; the user that the body names is written down. OSDR's
    clients do not know the 409 of two equal commands at once: they wait for each other.
    """
    labels = {"compat": _COMPAT, "user_id": command.user_id}
    return patiently(
        lambda: submit_command(resources, caller, command, dispatcher.enqueue, labels=labels)
    )


async def _followed(
    resources: Resources,
    notifier: JobNotifier,
    submitted: Submitted,
    prefer: str | None,
    *,
    usual: float | None = None,
) -> Response:
    job = await followed(resources, notifier, submitted.job, prefer, usual=usual)
    return await run_in_threadpool(_answer, resources, submitted, job, prefer)


def _answer(resources: Resources, submitted: Submitted, job: Job, prefer: str | None) -> Response:
    """`job`: as it is now, or its ingest that failed."""
    headers = {**(REPLAYED if submitted.replayed else {}), **preference_applied(prefer)}
    if not job.is_terminal:
        return asked_again(accepted(job), f"{PREFIX}/jobs/{job.id}", headers)
    return json_response(answer_of(resources, job), headers=headers)
