"""train: on the queue that the algorithm's device asks for."""

from app.training import service
from workers.celery_app import celery_app
from workers.job_task import run_job


@celery_app.task(name="retort.train")
def train(job_id: str) -> None:
    run_job(job_id, service.run)
