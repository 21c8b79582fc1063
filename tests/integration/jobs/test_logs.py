"""What code logs while it runs a job can be read, attempt by attempt; its cost is recorded."""

import logging
import os
import signal
import threading
import time
import warnings

import pytest

from app.core.errors import InvalidInput, Retryable
from app.core.settings import Settings
from app.core.work import Outcome
from app.db.base import DEFAULT_PROJECT_ID
from app.jobs.attempt_log import attempt_log, shorten
from app.jobs.clean_up import clean_up
from app.jobs.log_store import Run, list_lines
from app.jobs.store import get_job, list_attempts
from app.jobs.submit import NewJob, submit_job
from app.storage.memory import MemoryStorage
from tests.support.cluster import cluster, wait_for
from workers.job_task import run_job

KEY = "rt_1a2b3c4d_" + "s3cr3t" * 8

logger = logging.getLogger("site.plugin")


@pytest.fixture
def job(resources):
    return new_job(resources)


def new_job(resources, kind="probe_alone", **params):
    import tests.support.probe_app  # noqa: F401 - its kinds

    new = NewJob(
        project_id=DEFAULT_PROJECT_ID,
        kind=kind,
        queue="cpu",
        params={"folder": "/tmp", **params},
        created_by="test",
    )
    return submit_job(resources.database, new).job


def run(job, work):
    """As a task does it; `work` is what the kind's service does."""
    run_job(str(job.id), lambda _resources, context, _params: work(context))


def texts(resources, job, **filters):
    return [line["text"] for line in list_lines(resources.database, job.id, **filters)]


# ---- what is kept


@pytest.mark.req("goal-12")
def test_lines_warnings_stages_and_the_end_are_kept(resources, job):
    def work(context):
        logger.info("read %d rows", 17)
        logger.debug("not at this level")
        warnings.warn("the column is constant", UserWarning, stacklevel=1)
        context.progress(1, 3, stage="fit", message="fold 1")
        context.progress(2, 3, stage="fit", message="fold 2")
        context.warn("small_test_set", "only three rows")
        return Outcome(result={})

    run(job, work)
    lines = list_lines(resources.database, job.id)
    found = [(line["level"], line["text"]) for line in lines]
    assert found == [
        ("info", f"job {job.id} (probe_alone) attempt 1 starts"),
        ("info", "read 17 rows"),
        ("warning", "UserWarning: the column is constant"),
        ("info", "stage fit: fold 1"),
        ("warning", "small_test_set: only three rows"),
        ("info", f"job {job.id} succeeded"),
    ]
    assert {(line["attempt"], line["chunk"]) for line in lines} == {(1, None)}
    assert lines[1]["logger"] == "site.plugin"
    assert abs(lines[1]["at"].timestamp() - time.time()) < 60


@pytest.mark.req("goal-12")
def test_the_trace_goes_to_the_log_and_not_to_the_error(resources, job):
    def work(context):
        raise KeyError(f"bug at {KEY}")

    run(job, work)
    failed = get_job(resources.database, DEFAULT_PROJECT_ID, job.id)
    assert failed.error["code"] == "internal_error"
    assert "KeyError" not in str(failed.error)
    (trace,) = texts(resources, job, level="ERROR")
    assert "Traceback" in trace
    assert "KeyError" in trace
    assert KEY not in trace
    assert "rt_1a2b3c4d_***" in trace


@pytest.mark.req("goal-12")
def test_each_attempt_has_its_own_lines(resources, job):
    def outage(context):
        raise Retryable("not now", after=0)

    run(job, outage)
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE jobs SET state = 'queued'")
    run(job, lambda context: Outcome(result={}))
    assert [line["attempt"] for line in list_lines(resources.database, job.id)] == [1, 1, 2, 2]
    assert texts(resources, job, attempt=2) == [
        f"job {job.id} (probe_alone) attempt 2 starts",
        f"job {job.id} succeeded",
    ]


def test_after_the_job_nothing_is_heard_any_more(resources, job):
    handlers = list(logging.getLogger().handlers)
    shown = warnings.showwarning
    run(job, lambda context: Outcome(result={}))
    logger.warning("of nobody")
    assert "of nobody" not in texts(resources, job)
    assert logging.getLogger().handlers == handlers
    assert warnings.showwarning is shown
    assert not [t for t in threading.enumerate() if t.name == "job-log"]


# ---- limits


@pytest.fixture
def small():
    return Settings(max_log_lines=20, max_log_line_bytes=100)


def test_a_flood_is_cut_off_and_says_so(resources, job, small):
    with attempt_log(resources.database, small, Run(job_id=job.id, attempt=1)):
        for number in range(1000):
            logger.warning("line %d", number)
    found = texts(resources, job)
    assert found[:2] == ["line 0", "line 1"]
    assert len(found) == 21
    assert found[-1] == "980 more lines were dropped: an attempt may log 20"


def test_a_long_line_keeps_its_beginning_and_its_end(resources, job, small):
    with attempt_log(resources.database, small, Run(job_id=job.id, attempt=1)):
        logger.warning("begin %s end", "é" * 10_000)
        logger.warning("nul \0 and half a \ud800 pair")
    long, odd = texts(resources, job)
    assert len(long.encode()) < 200
    assert long.startswith("begin é")
    assert long.endswith("é end")
    assert "bytes left out" in long
    assert odd == "nul \N{REPLACEMENT CHARACTER} and half a ? pair"


def test_a_secret_is_masked_before_the_line_is_cut(resources, job, small):
    """Else a half of it could stay without what it is known by."""
    with attempt_log(resources.database, small, Run(job_id=job.id, attempt=1)):
        logger.warning("%s%s", "x" * 40, KEY + "y" * 200)
    (line,) = texts(resources, job)
    assert "s3cr3t" not in line
    assert shorten("x" * 50, 50) == "x" * 50


def test_an_argument_that_does_not_fit_fails_nothing(resources, job, monkeypatch):
    # pytest's own handler raises
    monkeypatch.setattr(logging.getLogger(), "handlers", [])

    def work(context):
        logger.warning("%d rows", "no number")
        return Outcome(result={})

    run(job, work)
    assert get_job(resources.database, DEFAULT_PROJECT_ID, job.id).state == "succeeded"


# ---- outages


def test_lines_of_an_outage_are_written_after_it(resources, job, monkeypatch):
    from app.jobs import attempt_log as module

    down = threading.Event()
    down.set()
    real = module.append_lines

    def flaky(*arguments):
        if down.is_set():
            raise ConnectionError("no Postgres")
        real(*arguments)

    monkeypatch.setattr(module, "append_lines", flaky)
    monkeypatch.setattr(module, "_FLUSH_SECONDS", 0.05)

    def work(context):
        logger.info("said in the outage")
        time.sleep(0.5)
        assert "said in the outage" not in texts(resources, job)
        down.clear()
        wait_for(lambda: "said in the outage" in texts(resources, job), "it is written")
        return Outcome(result={})

    run(job, work)
    found = texts(resources, job)
    assert found.count("said in the outage") == 1
    assert found[0].endswith("starts")


def test_a_log_that_cannot_be_written_does_not_fail_the_job(resources, job, monkeypatch):
    from app.jobs import attempt_log as module

    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(module, "append_lines", broken)
    monkeypatch.setattr(module, "close_run", broken)
    run(job, lambda context: Outcome(result={}))
    assert get_job(resources.database, DEFAULT_PROJECT_ID, job.id).state == "succeeded"


@pytest.mark.req("goal-12")
def test_kill_9_keeps_what_was_said_two_seconds_before(
    resources, retort_environment, fast_leases, tmp_path
):
    from tests.support.probe_app import celery_app
    from workers.dispatch import send_job

    with cluster(resources, {**retort_environment, **fast_leases}, tmp_path) as start:
        start()
        job = new_job(resources, folder=str(tmp_path), seconds=60)
        send_job(celery_app, job)

        def first_line():
            found = list_lines(resources.database, job.id, attempt=1)
            return found and get_job(resources.database, DEFAULT_PROJECT_ID, job.id).worker_pid

        pid = wait_for(first_line, "the first line is written while the job runs")
        os.kill(pid, signal.SIGKILL)
        wait_for(
            lambda: list_lines(resources.database, job.id, attempt=2), "the second attempt writes"
        )
        assert texts(resources, job, attempt=1)[0].endswith("attempt 1 starts")


# ---- over HTTP


@pytest.mark.req("goal-12")
def test_logs_are_filtered_searched_and_paged(api, resources, job, problem, stranger):
    def work(context):
        for number in range(5):
            logger.info("Row %d", number)
        logger.error("row 100% wrong")
        return Outcome(result={})

    run(job, work)
    url = api.get(f"jobs/{job.id}").json()["links"]["logs"]
    assert url.endswith(f"/jobs/{job.id}/logs")

    def found(**filters):
        answer = api.get(f"jobs/{job.id}/logs", params=filters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    everything = found()
    assert everything["next_cursor"] is None
    line = everything["items"][1]
    assert line.keys() == {"id", "at", "attempt", "chunk", "level", "logger", "text"}
    assert (line["level"], line["logger"], line["text"]) == ("info", "site.plugin", "Row 0")
    assert [one["text"] for one in found(level="ERROR")["items"]] == ["row 100% wrong"]
    assert [one["text"] for one in found(level="warning")["items"]] == ["row 100% wrong"]
    assert len(found(q="ROW ")["items"]) == 6
    assert [one["text"] for one in found(q="100%")["items"]] == ["row 100% wrong"]
    assert found(attempt=2)["items"] == []
    assert found(chunk=0)["items"] == []
    seen, cursor = [], 0
    while cursor is not None:
        page = found(limit=3, cursor=cursor)
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [one["id"] for one in everything["items"]]
    assert [one["id"] for one in found(after=seen[4])["items"]] == seen[5:]
    problem(api.get(f"jobs/{job.id}/logs", headers=stranger), 404, "not_found")
    assert api.get(f"jobs/{job.id}/logs?level=loud").status_code == 422


def test_old_lines_are_removed(resources, job):
    run(job, lambda context: Outcome(result={}))
    assert clean_up(resources.database, MemoryStorage(), log_days=30)["log_lines"] == 0
    with resources.database.cursor() as cursor:
        cursor.execute("UPDATE job_logs SET at = now() - interval '31 days' WHERE id % 2 = 0")
        aged = cursor.rowcount
    assert clean_up(resources.database, MemoryStorage(), log_days=30)["log_lines"] == aged == 1


# ---- what it cost


@pytest.mark.req("goal-23")
def test_an_attempts_cpu_time_and_memory_are_recorded(resources):
    def busy(context):
        hoard = bytearray(300 << 20)
        hoard[::4096] = b"x" * len(hoard[::4096])
        end = time.process_time() + 0.5
        while time.process_time() < end:
            pass
        return Outcome(result={"n": len(hoard)})

    heavy, light = new_job(resources), new_job(resources)
    run(heavy, busy)
    run(light, lambda context: Outcome(result={}))
    (first,) = list_attempts(resources.database, heavy.id)
    (second,) = list_attempts(resources.database, light.id)
    assert 0.4 < first["cpu_seconds"] < 5
    assert second["cpu_seconds"] < 0.4
    assert first["peak_memory_bytes"] > second["peak_memory_bytes"] + (200 << 20), "of each alone"


def test_a_failed_attempt_costs_as_well(resources, job):
    def work(context):
        raise InvalidInput("no")

    run(job, work)
    (attempt,) = list_attempts(resources.database, job.id)
    assert attempt["peak_memory_bytes"] > 10 << 20
