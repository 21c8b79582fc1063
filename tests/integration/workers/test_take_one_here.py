"""The child of `workers.take_one`, in this process: which job it takes, and what it says of it.

Real processes, killed: tests/faults/test_take_one.py.
"""

import os
import time

import pytest

from app.core.settings import get_settings
from app.db.base import DEFAULT_PROJECT_ID
from app.jobs.chunks import claim_chunk
from app.jobs.claim import Owner, claim_job
from app.jobs.store import get_job, list_attempts, list_chunks
from app.jobs.submit import NewJob, submit_job
from app.resources import get_resources
from tests.support.probe_app import celery_app
from workers.child_keeper import WORKER_VARIABLE
from workers.dispatch import Dispatcher, send_job
from workers.job_task import _pid_owner
from workers.queues import redis_list
from workers.take_one.__main__ import main
from workers.take_one.child import take_one
from workers.take_one.codes import Code

ME = "take-one-cpu@here#1"


@pytest.fixture(autouse=True)
def _named(monkeypatch):
    monkeypatch.setenv(WORKER_VARIABLE, ME)
    _pid_owner.cache_clear()
    yield
    _pid_owner.cache_clear()


@pytest.fixture
def probe(resources, tmp_path):
    def submit(kind="probe_alone", *, queue="cpu", priority=5, **params):
        new = NewJob(
            project_id=DEFAULT_PROJECT_ID,
            kind=kind,
            queue=queue,
            priority=priority,
            params={"folder": str(tmp_path), **params},
            created_by="test",
        )
        return submit_job(resources.database, new).job

    return submit


@pytest.fixture
def fresh(resources):
    return lambda job: get_job(resources.database, DEFAULT_PROJECT_ID, job.id)


def take(resources, queue="cpu", wait=0.0):
    return take_one(resources, queue, wait_seconds=wait)


def test_one_job_and_no_more_the_most_urgent_first(resources, probe, fresh):
    patient, urgent, elsewhere = probe(), probe(priority=9), probe(priority=9, queue="gpu")
    assert take(resources) == Code.WELL
    states = [fresh(job).state for job in (patient, urgent, elsewhere)]
    assert states == ["queued", "succeeded", "queued"]
    assert fresh(urgent).worker == ME


def test_none_there_is_well_after_the_wait(resources):
    began = time.monotonic()
    assert take(resources, wait=1.5) == Code.WELL
    assert 1.5 <= time.monotonic() - began < 10


def test_a_job_that_fails_and_one_that_is_tried_again(resources, probe, fresh):
    failed = probe(wrong=True)
    assert take(resources) == Code.FAILED
    assert fresh(failed).state == "failed"
    out = probe(outages=9)
    assert take(resources) == Code.AGAIN
    assert fresh(out).state == "retrying"


def test_what_another_worker_claims_first_is_left_to_it(resources, probe, fresh, monkeypatch):
    first, second = probe(), probe()
    from workers.take_one import child

    run = child._run

    def faster(kind, job_id, *rest):
        if job_id == first.id:
            owner = Owner(worker="faster@there#1", pid=1)
            claim_job(resources.database, first.id, owner, lease_seconds=60)
        run(kind, job_id, *rest)

    monkeypatch.setattr(child, "_run", faster)
    assert take(resources) == Code.WELL
    assert (fresh(first).worker, fresh(first).state) == ("faster@there#1", "running")
    assert (fresh(second).worker, fresh(second).state) == (ME, "succeeded")


def test_a_divided_job_is_done_whole_without_any_other_worker(resources, probe, fresh):
    job = probe("probe", chunks=12, rows=10)
    assert take(resources) == Code.WELL
    assert fresh(job).result == {"chunks": 12, "rows": 120, "failed": []}
    chunks = list_chunks(resources.database, job.id)
    assert {(c["state"], c["attempt"]) for c in chunks} == {("succeeded", 1)}
    (attempt,) = list_attempts(resources.database, job.id)
    assert attempt["outcome"] == "succeeded"


def test_a_division_that_somebody_left_is_gone_on_with(resources, probe, fresh):
    """Of it one chunk is another's: whoever only helps does not wait for that."""
    from workers.take_one import child

    job = probe("probe", chunks=3)
    child._run("probe", job.id)
    owner = Owner(worker="there@there#1", pid=1)
    assert claim_chunk(resources.database, job.id, 0, owner, lease_seconds=60) is not None
    assert take(resources) == Code.WELL
    states = [c["state"] for c in list_chunks(resources.database, job.id)]
    assert states == ["running", "succeeded", "succeeded"]
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE job_chunks SET state = 'queued', claim_token = NULL WHERE chunk = 0")
    assert take(resources) == Code.WELL
    assert fresh(job).state == "succeeded"


def test_no_message_is_sent_for_a_queue_of_take_one(resources, probe, monkeypatch):
    monkeypatch.setenv("RETORT_TAKE_ONE_QUEUES", "gpu:predict")
    get_settings.cache_clear()
    jobs = [probe(queue=queue) for queue in ("cpu", "gpu", "predict")]
    relay = Dispatcher(celery_app)
    relay.start()
    relay.enqueue(*jobs)
    relay.close()
    for job in jobs:
        send_job(celery_app, job)
    found = [get_resources().redis.llen(redis_list(job.queue, job.priority)) for job in jobs]
    assert found == [2, 0, 0]


def test_a_queue_of_take_one_counts_as_served(resources, monkeypatch):
    """Else `device: auto` would never reach a GPU pool that has been scaled to nothing."""
    from app.kinds.references import _gpu_worker_alive

    assert not _gpu_worker_alive(resources)
    monkeypatch.setenv("RETORT_TAKE_ONE_QUEUES", "gpu")
    get_settings.cache_clear()
    get_resources.cache_clear()
    assert _gpu_worker_alive(get_resources())


@pytest.mark.parametrize(
    "arguments", [[], ["--queue", "nowhere"], ["--queue", "cpu", "--wait", "-1"]]
)
def test_wrong_usage_is_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage" in capsys.readouterr().err
    assert os.environ[WORKER_VARIABLE] == ME
