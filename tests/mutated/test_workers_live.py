"""The worst mutants through real workers: every job ends, and the same processes live after it."""

import pytest

from app.db.base import DEFAULT_PROJECT_ID
from app.jobs.store import get_job
from app.jobs.submit import NewJob, submit_job
from tests.mutated.mutator import WORST, mutant
from tests.support.cluster import cluster
from tests.support.datasets import new_dataset, stored_file
from tests.support.waiting import wait_for
from workers.celery_app import celery_app
from workers.dispatch import send_job

EACH = 2


def worst():
    """Two mutants of each of the worst kinds."""
    found = {damage.__name__: [] for damage in WORST}
    for seed in range(5_000):
        made = mutant(seed)
        for name in made.how:
            if len(found.get(name, [0] * EACH)) < EACH and all(
                seed != other for ones in found.values() for other, _ in ones
            ):
                found[name].append((seed, made))
        if all(len(ones) == EACH for ones in found.values()):
            break
    return [one for ones in found.values() for one in ones]


@pytest.fixture
def start(fast_leases, resources, retort_environment, tmp_path):
    environment = {**retort_environment, **fast_leases, "RETORT_LEASE_SECONDS": "60"}
    with cluster(resources, environment, tmp_path) as start:
        yield start


@pytest.fixture
def ingest(resources):
    def submit(seed, made):
        file_id = stored_file(resources, made.content, made.name or "f")
        options = {"max_bad_fraction": 1.0} | made.options
        params = new_dataset(resources, file_id, name=f"mutant-{seed}", **options)
        new = NewJob(
            project_id=DEFAULT_PROJECT_ID,
            kind="ingest",
            queue="cpu",
            params=params.model_dump(mode="json"),
            created_by="t",
        )
        job = submit_job(resources.database, new).job
        send_job(celery_app, job)
        return job.id

    return submit


@pytest.mark.slow
@pytest.mark.req("goal-25")
def test_no_worker_dies_of_the_worst_files(start, ingest, resources):
    worker = start("cpu", application="workers.celery_app")
    before = sorted(child.pid for child in worker.children())
    mutants = worst()
    assert len(mutants) == EACH * len(WORST)
    jobs = {ingest(seed, made): (seed, made.how) for seed, made in mutants}

    def ended():
        found = [get_job(resources.database, DEFAULT_PROJECT_ID, job) for job in jobs]
        return found if all(job.is_terminal for job in found) else None

    for job in wait_for(ended, "all jobs have ended", seconds=300):
        assert job.attempt == 1, jobs[job.id]
        if job.state == "succeeded":
            counts = job.result
            parts = counts["rows_ok"] + counts["rows_rejected"] + counts["rows_merged"]
            assert parts == counts["rows_in"], jobs[job.id]
        else:
            assert job.error["code"] not in ("internal_error", "lost_worker"), jobs[job.id]
            assert job.error["remedy"], jobs[job.id]
    assert sorted(child.pid for child in worker.children()) == before
