"""export: one process writes one file."""

from app.exporting import service
from workers.celery_app import celery_app
from workers.job_task import run_job


@celery_app.task(name="retort.export")
def export(job_id: str) -> None:
    run_job(job_id, service.run)
