"""What /metrics tells of real workers: memory, GPUs, sweeps, drains."""

import os
import stat
import time

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.jobs.workers import alive_workers
from app.monitoring.worker_reports import WorkerUsage, report_usage, worker_usages
from tests.support.cluster import WorkerProcess
from tests.support.waiting import wait_for
from workers.memory import family_memory
from workers.usage_reports import count_this_drain

#: what `nvidia-smi --query-gpu=... --format=csv,noheader,nounits` prints for a GPU and for one that
#: is divided (MIG); there is no GPU where the tests run
NVIDIA_SMI = """#!/bin/sh
echo "0, 1536, 143771, 87"
echo "1, [N/A], [N/A], [N/A]"
"""


@pytest.fixture
def start(retort_environment, fast_leases, tmp_path):
    started = []

    def start_worker(name, queues, **environment):
        every = {**retort_environment, **fast_leases, **environment}
        worker = WorkerProcess(every, tmp_path / f"{name}.log", queues=queues)
        started.append(worker)
        return worker.wait_ready()

    yield start_worker
    for worker in started:
        worker.kill()


def scraped(api):
    """{(sample name, labels): value}"""
    text = api.get("http://retort/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found, name):
    return {labels: value for (sample, labels), value in found.items() if sample == name}


def test_memory_and_the_end_of_a_worker(api, resources, start):
    worker = start("cpu", "cpu,cpu_bulk")
    (usage,) = wait_for(lambda: worker_usages(resources.cache), "the worker tells of its memory")
    held, largest = family_memory(psutil.Process(worker.process.pid))
    assert usage.memory == pytest.approx(held, rel=0.5)
    assert 1 << 20 < largest < held
    found = scraped(api)
    ((labels, memory),) = of(found, "retort_worker_memory_bytes").items()
    assert dict(labels) == {"worker": usage.worker, "host": usage.host}
    assert memory == usage.memory
    ((_, share),) = of(found, "retort_worker_largest_child_ratio").items()
    assert share == pytest.approx(usage.largest_child / (1 << 30))
    assert of(found, "retort_gpu_memory_bytes") == {}, "no GPU, no series"

    told = wait_for(lambda: alive_workers(resources.cache), "the worker announces itself")
    assert set(told[0].__dict__) == {"name", "queues", "processes", "started_at"}, (
        "a gateway of the release before accepts no other field"
    )

    worker.process.terminate()
    worker.process.wait(timeout=30)
    found = scraped(api)
    assert of(found, "retort_worker_drains_total") == {
        (("in_time", "yes"),): 1,
        (("in_time", "no"),): 0,
    }
    assert 0 < of(found, "retort_worker_drain_seconds_total")[()] < 30


def test_gpus_are_asked_by_gpu_workers_only(api, resources, start, tmp_path):
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    tool.write_text(NVIDIA_SMI)
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    path = f"{tool.parent}:{os.environ['PATH']}"
    start("gpu", "gpu,gpu_bulk", PATH=path)
    start("cpu", "cpu,cpu_bulk", PATH=path)
    wait_for(lambda: len(worker_usages(resources.cache)) == 2, "both tell of themselves")
    by_worker = {usage.worker: usage for usage in worker_usages(resources.cache)}
    assert {name.split("@")[0]: len(u.gpus) for name, u in by_worker.items()} == {
        "gpu": 1,
        "cpu": 0,
    }
    found = scraped(api)
    ((labels, used),) = of(found, "retort_gpu_memory_used_bytes").items()
    assert dict(labels)["gpu"] == "0"
    assert used == 1536 << 20
    assert [*of(found, "retort_gpu_memory_bytes").values()] == [143771 << 20]
    assert [*of(found, "retort_gpu_busy_ratio").values()] == [0.87]


def test_a_worker_that_is_gone_has_no_series(api, resources):
    usage = WorkerUsage(worker="cpu@a", host="a", memory=1, largest_child=1, child_limit=2)
    report_usage(resources.cache, usage)
    assert len(of(scraped(api), "retort_worker_memory_bytes")) == 1
    resources.cache.delete("retort:usage:cpu@a")
    assert of(scraped(api), "retort_worker_memory_bytes") == {}


def test_what_a_newer_worker_tells_is_read(resources):
    resources.cache.set(
        "retort:usage:x",
        b'{"worker": "x", "host": "h", "memory": 1, "largest_child": 1, "child_limit": 2, "new": 1,'
        b' "gpus": [{"index": "0", "memory_used": 1, "memory_total": 2, "busy": 0.5, "watts": 9}]}',
    )
    (usage,) = worker_usages(resources.cache)
    assert (usage.worker, usage.gpus[0].busy) == ("x", 0.5)


def test_sweeps_are_counted_with_what_they_found(api, resources):
    from tasks import maintenance
    from workers import rounds

    assert of(scraped(api), "retort_sweeps_total")[()] == 0
    job = api.post("/probe/none")  # nothing to find yet
    assert job.status_code == 404
    with resources.database.cursor() as cursor:
        cursor.execute(
            "INSERT INTO jobs (id, project_id, kind, state, queue, params, created_by, attempt,"
            " max_attempts, claim_token, worker, worker_pid, lease_expires_at, version)"
            " SELECT gen_random_uuid(), id, 'train', 'running', 'cpu', '{}', 'test', 1, 3,"
            " gen_random_uuid(), 'w', 1, now() - interval '1 s', 1 FROM projects LIMIT 1"
        )
    for _ in range(2):
        rounds._ran_at.clear()
        maintenance.sweep()
    found = scraped(api)
    assert of(found, "retort_sweeps_total")[()] == 2
    assert of(found, "retort_sweep_seconds_total")[()] > 0
    assert of(found, "retort_sweep_found_total")[("what", "lost_jobs"),] == 1
    assert 0 <= of(found, "retort_sweep_age_seconds")[()] < 10
    time.sleep(1.1)
    assert of(scraped(api), "retort_sweep_age_seconds")[()] > 1


def test_a_drain_that_was_cut_off(api, resources, monkeypatch):
    for seconds in (float("-inf"), 1.0, 1000.0):
        monkeypatch.setattr("workers.draining.seconds_since_begin", lambda s=seconds: s)
        count_this_drain(resources)
    found = scraped(api)
    assert of(found, "retort_worker_drains_total") == {
        (("in_time", "yes"),): 1,
        (("in_time", "no"),): 1,
    }
    assert of(found, "retort_worker_drain_seconds_total")[()] == 1001
