"""compare: plan, a chord of chunks, finalize."""

from app.comparison import service
from workers.celery_app import celery_app
from workers.job_task import run_chunk, run_finalize, run_plan


@celery_app.task(name="retort.compare")
def plan(job_id: str) -> None:
    run_plan(job_id, service.plan, service.finalize)


@celery_app.task(name="retort.compare_chunk", ignore_result=False)
def chunk(job_id: str, number: int) -> int:
    return run_chunk(job_id, number, service.run_chunk)


@celery_app.task(name="retort.compare_finalize")
def finalize(job_id: str) -> None:
    run_finalize(job_id, service.finalize)
