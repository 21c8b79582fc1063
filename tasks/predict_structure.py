"""predict_structure: one process asks every model."""

from app.prediction import structure
from workers.celery_app import celery_app
from workers.job_task import run_job


@celery_app.task(name="retort.predict_structure")
def predict_structure(job_id: str) -> None:
    run_job(job_id, structure.run)
