"""`python -m workers.verify`, as the operator runs it."""

import os
import subprocess
import sys

from app.db.base import DEFAULT_PROJECT_ID
from app.jobs.claim import Owner, claim_job
from app.jobs.submit import NewJob, submit_job


def verify(environment):
    return subprocess.run(
        [sys.executable, "-m", "workers.verify"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_healthy_cluster_and_one_that_is_not(resources, retort_environment):
    new = NewJob(
        project_id=DEFAULT_PROJECT_ID, kind="train", queue="cpu", params={}, created_by="t"
    )
    job = submit_job(resources.database, new).job
    claim_job(resources.database, job.id, Owner(worker="w", pid=1), lease_seconds=60)
    healthy = verify(retort_environment)
    assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    assert "BROKEN" not in healthy.stdout
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE jobs SET state = 'succeeded'")
    broken = verify(retort_environment)
    assert broken.returncode == 1
    assert f"log_disagrees: {job.id}: the job is succeeded, its log says running" in broken.stdout
