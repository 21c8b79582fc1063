"""`python -m workers.take_one` as Kubernetes runs it: beside others, killed, told to end."""

import os
import signal
import sys
import time

import psutil
import pytest

from app.db.base import DEFAULT_PROJECT_ID
from app.jobs.store import get_job, list_attempts
from tests.support.waiting import wait_for
from workers.child import Child
from workers.embedded.home import SOURCE
from workers.take_one.codes import Code

pytestmark = pytest.mark.slow


@pytest.fixture
def take_one(fault_cluster):
    """Starts one; all are killed in the end."""
    started = []

    def start(queue, *, wait=60):
        command = [sys.executable, "-m", "workers.take_one", "--queue", queue, "--wait", str(wait)]
        log = fault_cluster.home / "logs" / "take_one.log"
        child = Child(command, log=log, cwd=SOURCE, env=fault_cluster.environment)
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()


def ended(child, seconds=240):
    """Its exit code."""
    wait_for(lambda: child.exit_code() is not None, "the worker has ended", seconds)
    return child.exit_code()


@pytest.fixture
def row(fault_cluster):
    return lambda job: get_job(fault_cluster.database, DEFAULT_PROJECT_ID, job["id"])


def runs(row, job):
    """The process that runs it, once it does."""

    def look():
        now = row(job)
        return now.worker_pid if now.state == "running" else None

    return wait_for(look, "the job runs")


def _works(pid):
    """Not once it is a zombie that nobody has reaped."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def without(cluster, name):
    """Only take-one workers are left at its queue; `settle` starts it again. It is killed, so that
    for half a minute it counts as alive, and a training for a GPU stays at its queue.
    """
    cluster.signal_family(signal.SIGKILL, name)
    cluster.wait_gone(name)


@pytest.mark.req("K-8", "goal-14", "goal-89")
def test_two_beside_a_normal_worker(scene, take_one, row):
    """no fault: two take-one workers beside a normal one"""
    cluster = scene.cluster
    jobs = scene.work(["train cpu"] * 10, seconds=2.0)
    pair = [take_one("cpu"), take_one("cpu")]
    scene.inject(lambda: None)
    assert [ended(child) for child in pair] == [Code.WELL, Code.WELL]
    scene.settle()
    attempts = [list_attempts(cluster.database, row(job).id) for job in jobs]
    assert {len(of_job) for of_job in attempts} == {1}, "a job ran twice"
    workers = [a["worker"].partition("@")[0] for (a,) in attempts]
    assert workers.count("take-one-cpu") == 2, "each takes exactly one"
    assert "cpu" in workers


@pytest.mark.req("K-8", "goal-14")
@pytest.mark.parametrize("what", ["parent", "child"])
def test_killed(scene, bounds, take_one, row, what):
    """kill -9 of a take-one worker: {}"""
    without(scene.cluster, "gpu")
    (job,) = scene.work(["train gpu"], seconds=4.0)
    doomed = take_one("gpu")
    pid = runs(row, job)

    def fault():
        os.kill(pid if what == "child" else doomed.pid, signal.SIGKILL)

    scene.inject(fault)
    assert ended(doomed) == (Code.AGAIN if what == "child" else -signal.SIGKILL)
    # its child died with it: nobody computes what nobody may store
    wait_for(lambda: not _works(pid), "the child is gone", 10)
    assert ended(take_one("gpu")) == Code.WELL
    now = row(job)
    assert (now.state, now.attempt, now.crash_count) == ("succeeded", 2, 1)
    scene.settle()
    assert scene.account.worst_taken_back < bounds["killed"]


@pytest.mark.req("K-8", "goal-14")
def test_told_to_end(scene, take_one, row):
    """SIGTERM of a take-one worker"""
    without(scene.cluster, "gpu")
    (job,) = scene.work(["train gpu"], seconds=30.0)
    told = take_one("gpu")
    runs(row, job)
    began = time.monotonic()
    scene.inject(lambda: told.send(signal.SIGTERM))
    assert ended(told) == Code.TOLD_TO_END
    assert time.monotonic() - began < 25, "it waited for the end of the job"
    now = row(job)
    assert (now.state, now.attempt, now.crash_count) == ("queued", 0, 0)
    assert ended(take_one("gpu")) == Code.WELL
    assert (row(job).state, row(job).attempt) == ("succeeded", 1)
    scene.settle()
