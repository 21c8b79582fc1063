"""import_model: one process checks and stores one bundle."""

from app.exporting import importing
from workers.celery_app import celery_app
from workers.job_task import run_job


@celery_app.task(name="retort.import_model")
def import_model(job_id: str) -> None:
    run_job(job_id, importing.run)
