"""Real workers, killed for real: every accepted job still ends, once."""

import os
import signal
import time

import psutil
import pytest

from app.db.base import DEFAULT_PROJECT_ID
from app.jobs.claim import Owner, claim_job
from app.jobs.control import request_cancel
from app.jobs.store import get_job, list_attempts, list_chunks, list_events
from app.jobs.submit import NewJob, submit_job
from app.jobs.workers import alive_workers
from tests.support.cluster import cluster
from tests.support.waiting import wait_for
from workers.dispatch import send_job


@pytest.fixture
def start(fast_leases, resources, retort_environment, tmp_path):
    with cluster(resources, {**retort_environment, **fast_leases}, tmp_path) as start:
        yield start


@pytest.fixture
def probe(resources, tmp_path):
    """Submit a probe job as the gateway does: row first, then the message."""
    from tests.support.probe_app import celery_app

    def submit(kind="probe_alone", *, send=True, **params):
        new = NewJob(
            project_id=DEFAULT_PROJECT_ID,
            kind=kind,
            queue="cpu",
            params={"folder": str(tmp_path), **params},
            created_by="test",
        )
        job = submit_job(resources.database, new).job
        if send:
            send_job(celery_app, job)
        return job

    return submit


@pytest.fixture
def ended(resources):
    def wait(job, seconds=45.0):
        def look():
            fresh = get_job(resources.database, DEFAULT_PROJECT_ID, job.id)
            return fresh if fresh.is_terminal else None

        return wait_for(look, f"job {job.id} has ended", seconds=seconds)

    return wait


def running_pid(resources, job):
    def look():
        fresh = get_job(resources.database, DEFAULT_PROJECT_ID, job.id)
        return fresh.worker_pid if fresh.state == "running" and fresh.progress else None

    return wait_for(look, "the job runs")


def runs(tmp_path, name="started"):
    path = tmp_path / name
    return len(path.read_text().splitlines()) if path.exists() else 0


def ended_once(resources, job):
    events = [e.data["state"] for e in list_events(resources.database, job.id) if e.type == "state"]
    return sum(state in ("succeeded", "failed", "cancelled") for state in events) == 1


@pytest.mark.req("K-1")
def test_a_job_runs_and_reports(start, probe, ended, tmp_path):
    start()
    job = ended(probe())
    assert job.state == "succeeded"
    assert job.progress["percent"] == 100.0
    assert runs(tmp_path) == 1


@pytest.mark.req("F-02", "goal-14")
def test_kill_9_of_the_child_runs_the_job_again(start, probe, ended, resources, tmp_path):
    start()
    job = probe(seconds=3)
    os.kill(running_pid(resources, job), signal.SIGKILL)
    done = ended(job)
    assert (done.state, done.attempt, done.crash_count) == ("succeeded", 2, 1)
    assert runs(tmp_path) == 2
    assert ended_once(resources, job)


@pytest.mark.exhaustive
@pytest.mark.req("F-02", "goal-14")
def test_kill_9_of_the_whole_worker_moves_its_jobs_to_another(
    start, probe, ended, resources, tmp_path
):
    doomed = start("doomed")
    jobs = [probe(seconds=3) for _ in range(2)]
    for job in jobs:
        running_pid(resources, job)
    doomed.kill()
    start("heir")
    for job in jobs:
        assert ended(job).state == "succeeded"
        assert ended_once(resources, job)


@pytest.mark.req("goal-14")
def test_a_zombies_late_result_is_refused(start, probe, ended, resources, tmp_path):
    """It wakes up while its heir runs, is done first, and must not end the heir's job."""
    zombie = start("zombie")
    # impolite: it does not ask whether the job still is its own
    job = probe(seconds=4, polite=False)
    pid = running_pid(resources, job)
    os.killpg(zombie.process.pid, signal.SIGSTOP)
    try:
        start("heir")
        wait_for(lambda: runs(tmp_path) == 2, "the heir has the job", seconds=30)
    finally:
        os.killpg(zombie.process.pid, signal.SIGCONT)
    done = ended(job)
    assert (done.state, done.attempt) == ("succeeded", 2)
    assert done.result["pid"] != pid, "the zombie's result was stored"
    outcomes = [a["outcome"] for a in list_attempts(resources.database, job.id)]
    assert outcomes == ["lost", "succeeded"]
    wait_for(lambda: "not ours any more" in zombie.log.read_text(), "the zombie was refused")


def test_a_claim_that_nobody_works_on_is_taken_back(start, probe, ended, resources):
    """A child lives but has no task: it never heard that its claim was committed."""
    worker = start()
    ended(probe())
    orphan = probe(send=False)
    (info,) = [w for w in alive_workers(resources.cache) if w.processes]
    claim_job(
        resources.database,
        orphan.id,
        Owner(worker=info.name, pid=worker.children()[0].pid),
        lease_seconds=600,
    )
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE jobs SET heartbeat_at = now() - interval '1 min'")
    assert ended(orphan, seconds=60).state == "succeeded"


def test_a_run_ends_when_postgres_is_back(start, probe, ended, resources, postgres_server):
    """Restarted while the run ends: what is done is not done again."""
    start()
    job = probe(seconds=2)
    running_pid(resources, job)
    postgres_server.stop()
    time.sleep(4)
    postgres_server.start()
    done = ended(job, seconds=60)
    assert (done.state, done.attempt) == ("succeeded", 1)


def test_what_does_not_stop_at_sigterm_is_put_back_and_killed(start, probe, resources):
    worker = start()
    job = probe(seconds=300, polite=False)
    pid = running_pid(resources, job)
    os.kill(worker.process.pid, signal.SIGTERM)
    wait_for(lambda: not psutil.pid_exists(pid), "the child is gone", seconds=30)

    def back():
        fresh = get_job(resources.database, DEFAULT_PROJECT_ID, job.id)
        return fresh if fresh.state == "queued" else None

    # first the child ends, then its work goes back
    fresh = wait_for(back, "the job is put back")
    assert (fresh.attempt, fresh.crash_count) == (0, 0)
    worker.process.wait(timeout=30)


def test_a_child_that_eats_memory_is_killed_and_says_so(start, probe, ended, resources):
    start()
    job = ended(probe(hoard=True), seconds=90)
    assert (job.state, job.error["code"]) == ("failed", "out_of_memory")
    assert "GiB" in job.error["detail"]


@pytest.mark.req("goal-14")
def test_the_same_message_ten_times_is_one_run(start, probe, ended, tmp_path):
    from tests.support.probe_app import celery_app

    job = probe(seconds=0.5)
    for _ in range(9):
        send_job(celery_app, job)
    start()
    assert ended(job).attempt == 1
    later = probe()
    ended(later)
    assert runs(tmp_path) == 2, "one run of each job"


@pytest.mark.req("F-02", "goal-14")
def test_a_job_whose_message_was_never_sent_is_found(start, probe, ended):
    start()
    assert ended(probe(send=False)).state == "succeeded"


@pytest.mark.req("K-5")
def test_a_chord_runs_all_chunks_and_finalizes_once(start, probe, ended, resources, tmp_path):
    start()
    job = ended(probe("probe", chunks=12, rows=10))
    assert job.result == {"chunks": 12, "rows": 120, "failed": []}
    assert runs(tmp_path, "finalized") == 1
    assert {c["state"] for c in list_chunks(resources.database, job.id)} == {"succeeded"}


def test_nothing_of_a_chunks_work_stays_in_redis(start, probe, ended, resources):
    start()
    ended(probe("probe", chunks=12, rows=10))
    stored = [resources.redis.get(k) for k in resources.redis.scan_iter("celery-task-meta-*")]
    assert all(len(value or b"") < 400 for value in stored)


@pytest.mark.exhaustive
def test_a_poisonous_row_is_quarantined_and_the_rest_delivered(
    start, probe, ended, resources, tmp_path
):
    start()
    job = ended(probe("probe", chunks=3, rows=4, poison=[1, 2]), seconds=120)
    assert job.state == "succeeded"
    assert job.result["rows"] == 12, "every row is accounted for"
    ((_, row, reason),) = job.result["failed"]
    assert row == 2
    assert "crashed" in reason
    assert runs(tmp_path, "chunk-0") == 1


@pytest.mark.exhaustive
@pytest.mark.req("goal-14")
def test_redis_killed_in_mid_job_loses_nothing(
    start, probe, ended, resources, redis_server, tmp_path
):
    start()
    running = probe(seconds=3)
    waiting = [probe(seconds=0.2) for _ in range(6)]
    divided = probe("probe", chunks=6, seconds=0.3)
    running_pid(resources, running)
    redis_server.kill()
    during = probe(send=False)
    redis_server.start()
    for job in (running, *waiting, divided, during):
        assert ended(job, seconds=90).state == "succeeded"
        assert ended_once(resources, job)
    assert runs(tmp_path, "finalized") == 1


@pytest.mark.exhaustive
def test_flushall_of_the_broker_loses_nothing(start, probe, ended, resources):
    jobs = [probe(seconds=0.1) for _ in range(10)]
    resources.redis.flushall()
    start()
    for job in jobs:
        assert ended(job).state == "succeeded"


@pytest.mark.exhaustive
def test_sigterm_puts_a_long_job_back_without_spending_an_attempt(
    start, probe, ended, resources, tmp_path
):
    first = start("first")
    job = probe(seconds=8)
    running_pid(resources, job)
    os.kill(first.process.pid, signal.SIGTERM)
    first.process.wait(timeout=30)
    back = get_job(resources.database, DEFAULT_PROJECT_ID, job.id)
    assert (back.state, back.attempt, back.crash_count) == ("queued", 0, 0)
    start("second")
    done = ended(job, seconds=60)
    assert (done.state, done.attempt) == ("succeeded", 1)
    assert [a["outcome"] for a in list_attempts(resources.database, job.id)] == ["succeeded"]


def test_sigterm_lets_a_short_job_finish(start, probe, resources, tmp_path):
    worker = start()
    job = probe(seconds=2)
    running_pid(resources, job)
    os.kill(worker.process.pid, signal.SIGTERM)
    worker.process.wait(timeout=30)
    assert get_job(resources.database, DEFAULT_PROJECT_ID, job.id).state == "succeeded"
    assert runs(tmp_path) == 1


@pytest.mark.req("goal-7")
def test_a_cancel_is_obeyed(start, probe, ended, resources):
    start()
    job = probe(seconds=60)
    running_pid(resources, job)
    request_cancel(resources.database, DEFAULT_PROJECT_ID, job.id, by="ana")
    assert ended(job, seconds=10).state == "cancelled"


@pytest.mark.req("goal-7")
def test_a_child_that_ignores_a_cancel_is_killed(start, probe, ended, resources):
    start()
    job = probe(seconds=60, polite=False)
    pid = running_pid(resources, job)
    request_cancel(resources.database, DEFAULT_PROJECT_ID, job.id, by="ana")
    assert ended(job, seconds=30).state == "cancelled"
    wait_for(lambda: not psutil.pid_exists(pid), "the child is gone")


def test_c_code_that_holds_the_interpreter_lock_keeps_its_lease(
    start, probe, ended, resources, tmp_path
):
    """Longer than the lease: the parent renews it, so nobody else takes the job."""
    start()
    job = ended(probe(starve=True), seconds=120)
    assert (job.state, job.attempt) == ("succeeded", 1)
    assert (job.finished_at - job.started_at).total_seconds() > 7, "the probe was too short"


def test_an_outage_is_retried_by_postgres(start, probe, ended, tmp_path):
    start()
    job = ended(probe(outages=2))
    assert (job.state, job.attempt) == ("succeeded", 3)
