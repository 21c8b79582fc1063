"""Jobs that depend on each other, in one call: optimize, then train, then evaluate."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from api.dependencies import Caller, WithDispatcher, WithResources
from api.once import REPLAYED
from api.responses import json_response
from api.rights import Guarded, needs
from api.routes.jobs import IdempotencyKey
from api.schemas.job import job_json
from api.schemas.problem import PROBLEMS
from api.schemas.workflow import WorkflowAnswer, WorkflowRequest
from app.access.rights import Right
from app.jobs.states import JobState
from app.kinds.workflow import Step, Workflow, get_workflow, submit_workflow

router = APIRouter(route_class=Guarded, prefix="/workflows", tags=["workflows"], responses=PROBLEMS)


@router.post(
    "", status_code=202, response_model=WorkflowAnswer, dependencies=[needs(Right.JOBS_WRITE)]
)
def post_workflow(
    request: WorkflowRequest,
    caller: Caller,
    resources: WithResources,
    dispatcher: WithDispatcher,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """All jobs are validated together and stored together, or none is. Each starts when those that
    it needs have succeeded, with the values of their results filled in.
    """
    steps = {key: Step(**dict(job)) for key, job in request.jobs.items()}
    workflow = submit_workflow(resources, caller, steps, idempotency_key=idempotency_key)
    headers = {"Location": f"/api/v1/workflows/{workflow.id}", "Retry-After": "1"}
    if workflow.replayed:
        headers |= REPLAYED
    else:
        for job in workflow.jobs.values():
            if job.state is JobState.QUEUED:
                dispatcher.enqueue(job)
    return json_response(_shown(workflow), status=202, headers=headers)


@router.get("/{workflow_id}", response_model=WorkflowAnswer, dependencies=[needs(Right.READ)])
def get_one(workflow_id: UUID, caller: Caller, resources: WithResources) -> Response:
    """Every job of the workflow, by its key."""
    return json_response(_shown(get_workflow(resources.database, caller, workflow_id)))


def _shown(workflow: Workflow) -> dict[str, Any]:
    return {
        "id": workflow.id,
        "state": _state(workflow),
        "jobs": {key: job_json(job) for key, job in workflow.jobs.items()},
        "links": {"self": f"/api/v1/workflows/{workflow.id}"},
    }


def _state(workflow: Workflow) -> str:
    states = {job.state for job in workflow.jobs.values()}
    if not all(job.is_terminal for job in workflow.jobs.values()):
        return "running"
    # a job that needed a cancelled one has failed for that
    for worst in (JobState.CANCELLED, JobState.FAILED):
        if worst in states:
            return worst.value
    return JobState.SUCCEEDED.value
