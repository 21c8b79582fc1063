"""evaluate: one process measures one model."""

from app.evaluation import service
from workers.celery_app import celery_app
from workers.job_task import run_job


@celery_app.task(name="retort.evaluate")
def evaluate(job_id: str) -> None:
    run_job(job_id, service.run)
