"""Our jobs in the words of OSDR's services (S0)."""

from typing import Any
from uuid import UUID

from api.compat.following import failure_of
from app.jobs.model import Job
from app.jobs.states import JobState
from app.models.short_ids import short_id
from app.prediction.ranges import rows_of
from app.resources import Resources

#: rows that are answered in the body
MOST_ROWS = 1_000


def accepted(job: Job) -> dict[str, Any]:
    body = {"status": "accepted", "id": job.client_ref, "job_id": str(job.id)}
    if job.kind == "featurize":
        body["dataset_id"] = job.params["dataset_id"]
    return body


def answer_of(resources: Resources, job: Job) -> dict[str, Any]:
    """Of a job that has ended. Raises what it failed of."""
    if job.state is not JobState.SUCCEEDED or job.result is None:
        raise failure_of(job)
    if job.kind == "train":
        model_id = short_id("model", UUID(job.result["model_id"]))
        return {"status": "completed", "model_id": model_id, "job_id": str(job.id)}
    return _predicted(resources, job) if job.kind == "predict" else _featurized(job, job.result)


def _featurized(job: Job, result: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": "completed",
        "id": job.client_ref,
        "job_id": str(job.id),
        "dataset_id": result["dataset_id"],
        "structures": result["rows"],
        "columns": result["width"],
        "failed": result["failed"],
    }


def _predicted(resources: Resources, job: Job) -> dict[str, Any]:
    rows = job.counts["rows_total"]
    found = None
    if rows <= MOST_ROWS:
        found = rows_of(resources, job.project_id, job.id, 1, MOST_ROWS).items
    return {
        "status": "completed",
        "predictions": found,
        "rows_total": rows,
        "predictions_url": f"/api/v1/jobs/{job.id}/predictions",
        "job_id": str(job.id),
    }
