"""Every fault with jobs of every kind in flight: all of them end as they should, exactly once.

Gateway, workers, beat, Postgres and Redis are the product's own processes. What is checked after
each incident stands in `tests/support/scene.py`; each line of the table at the end is one test.
"""

import os
import re
import signal
import threading
import time

import httpx
import psutil
import pytest
from redis import Redis

from app.db.base import DEFAULT_PROJECT_ID
from app.jobs.store import get_job, list_chunks, list_events
from tests.support.fault_cluster import WORKERS
from tests.support.molecules import DATA, ESOL_TARGET
from tests.support.plugins.featurizers.probe_atoms import CRASHES, EATS_MEMORY, HANGS
from tests.support.scene import KINDS
from tests.support.waiting import wait_for
from workers.celery_app import create_celery
from workers.dispatch import send_chunk, send_finalize, send_job

# CI runs the faults without the mark `exhaustive`, `make faults` all of them
pytestmark = pytest.mark.slow

WITH_FORKS = ("cpu", "gpu", "predict", "interactive")


# ---- workers


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "signum",
    [
        pytest.param(signal.SIGKILL, id="kill -9"),
        pytest.param(signal.SIGTERM, id="SIGTERM"),
    ],
)
@pytest.mark.req("F-02", "goal-14")
def test_children(scene, bounds, signum):
    """worker children: {}"""
    cluster = scene.cluster
    with scene.busy():
        scene.inject(lambda: cluster.signal_children(signum, *WITH_FORKS))
    assert scene.account.recoveries, "nothing was hit"
    # the parent ends the lease of a dead child within its tick of 5 s
    assert scene.account.worst_taken_back < 5 + bounds["message"]


@pytest.mark.exhaustive
def test_parents_killed(scene):
    """kill -9 of worker parents, children orphaned"""
    cluster = scene.cluster
    with scene.busy():
        scene.inject(lambda: cluster.signal_parent(signal.SIGKILL, *WITH_FORKS))
        cluster.wait_gone(*WITH_FORKS)


@pytest.mark.req("F-02", "goal-14")
def test_whole_workers_killed(scene, bounds):
    """kill -9 of whole workers (a machine lost)"""
    cluster = scene.cluster
    with scene.busy(settle=bounds["killed"] + 120):
        scene.inject(lambda: cluster.signal_family(signal.SIGKILL, *WITH_FORKS))
        cluster.wait_gone(*WITH_FORKS)
    assert scene.account.recoveries, "nothing was hit"
    assert scene.account.worst_taken_back < bounds["killed"]


@pytest.mark.exhaustive
def test_workers_drain(scene):
    """SIGTERM of worker parents (drain)"""
    cluster = scene.cluster
    with scene.busy(seconds=12.0) as jobs:
        scene.inject(lambda: cluster.signal_parent(signal.SIGTERM, *WITH_FORKS))
        cluster.wait_gone(*WITH_FORKS)
    for job in jobs:
        ended = get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"])
        assert (ended.attempt, ended.crash_count) == (1, 0), "a drain spends no attempt"


@pytest.mark.exhaustive
def test_torch_training_goes_on_where_it_stopped(scene):
    """SIGTERM of the gpu worker in a torch training"""
    cluster = scene.cluster
    algorithm = {
        "name": "mlp",
        "params": {"hidden_sizes": [1024, 1024], "max_epochs": 120, "patience": 1000},
    }
    params = {
        "dataset": "esol",
        "targets": [ESOL_TARGET],
        "features": [{"name": "morgan_counts"}],
        "algorithm": algorithm,
        "name": "network",
        "bootstrap": 0,
    }
    undisturbed = scene.client.jobs.submit("train", params)
    expected = scene.client.jobs.wait(undisturbed["id"])["result"]["metrics"]
    job = scene.client.jobs.submit("train", params)
    scene.jobs = [undisturbed, job]

    def epoch():
        row = get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"])
        return row.progress.get("done", 0) if row.progress.get("unit") == "epoch" else 0

    wait_for(lambda: epoch() >= 3, "the training has begun", 90)
    scene.inject(lambda: cluster.signal_parent(signal.SIGTERM, "gpu"))
    cluster.wait_gone("gpu")
    scene.settle()
    ended = get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"])
    assert (ended.attempt, ended.crash_count) == (1, 0)
    events = list_events(cluster.database, ended.id)
    (resumed,) = [e.data for e in events if e.data.get("code") == "resumed"]
    assert resumed["epoch"] >= 3
    for part in ("test", "validation"):
        ours, theirs = ended.result["metrics"][part], expected[part]
        for name, metric in theirs[ESOL_TARGET].items():
            assert ours[ESOL_TARGET][name]["value"] == pytest.approx(metric["value"], abs=1e-6)


@pytest.mark.req("goal-14")
def test_zombie(scene, bounds):
    """SIGSTOP of workers past their lease, then SIGCONT"""
    cluster = scene.cluster
    stopped = ("cpu", "gpu", "predict")
    heirs = tuple(f"{name}-heir" for name in stopped)
    jobs = scene.work(seconds=6.0)
    training = jobs[KINDS.index("train gpu")]["id"]
    wait_for(
        lambda: get_job(cluster.database, DEFAULT_PROJECT_ID, training).claim_token,
        "the gpu worker trains",
    )
    scene.wait_in_flight()
    scene.inject(lambda: cluster.signal_family(signal.SIGSTOP, *stopped))
    try:
        try:
            # only now: had they been there before, the zombies might have had nothing
            for name, heir in zip(stopped, heirs, strict=True):
                cluster.launch_twin(name, heir)
            cluster.wait_ready(*heirs)
            with scene.told():
                wait_for(
                    lambda: all(
                        get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"]).is_terminal
                        for job in jobs
                    ),
                    "the heirs have done it all",
                    bounds["killed"] + 180,
                )
        finally:
            cluster.signal_family(signal.SIGCONT, *stopped)
        results = [get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"]) for job in jobs]
        # the zombies wake up, go on with what they think is theirs, and are refused: at their next
        # step, or when they write their end
        refused = re.compile(rf"{training}.*LeaseLost")
        wait_for(lambda: refused.search(cluster.log("gpu")), "the zombie that trains is refused")
        time.sleep(7.0)
        scene.settle()
        again = [get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"]) for job in jobs]
        assert again == results, "a zombie changed what had ended"
    finally:
        for heir in heirs:
            if heir in cluster.children:
                cluster.children.pop(heir).kill()
    assert scene.account.worst_taken_back < bounds["killed"]


# ---- gateway and beat


@pytest.mark.req("goal-14")
def test_gateway_killed_between_commit_and_publish(scene, bounds):
    """gateway killed between commit and publish"""
    cluster = scene.cluster
    redis = psutil.Process(cluster.redis.child.pid)
    files = scene.submit("ingest")  # its upload, before Redis stands still
    scene.jobs.append(files)
    redis.suspend()
    try:
        accepted = [scene.submit(kind, seconds=1.0) for kind in ("train cpu", "train gpu")]
        scene.jobs += accepted
        scene.inject(lambda: cluster.signal_family(signal.SIGKILL, "gateway"), messages_lost=True)
    finally:
        redis.resume()
    cluster.wait_gone("gateway")
    cluster.ensure_running()
    cluster.wait_ready("gateway")
    with scene.callers():
        scene.settle()
    assert scene.account.worst_taken_back < bounds["message"] + 12


@pytest.mark.exhaustive
def test_beat_killed(scene):
    """beat killed, with messages and children lost meanwhile"""
    cluster = scene.cluster
    with scene.busy():

        def fault():
            cluster.signal_family(signal.SIGKILL, "beat")
            cluster.redis_flush()
            cluster.signal_children(signal.SIGKILL, "cpu", "gpu", "predict")

        scene.inject(fault, messages_lost=True)
        time.sleep(6.0)


@pytest.mark.exhaustive
def test_two_beats(scene):
    """two beats at once, with messages and children lost"""
    cluster = scene.cluster
    cluster.launch("beat-2", spec=cluster.specs["beat"])
    try:
        time.sleep(3.0)
        with scene.busy():

            def fault():
                cluster.redis_flush()
                cluster.signal_children(signal.SIGKILL, "cpu", "gpu", "predict")

            scene.inject(fault, messages_lost=True)
    finally:
        cluster.children.pop("beat-2").kill()


# ---- Redis and Postgres


@pytest.mark.exhaustive
@pytest.mark.req("goal-14")
def test_redis_killed(scene):
    """Redis killed (appendonly)"""
    cluster = scene.cluster
    with scene.busy():
        scene.inject(cluster.redis.kill)
        time.sleep(2.0)
        cluster.redis.start()


@pytest.mark.exhaustive
@pytest.mark.req("goal-14")
def test_redis_killed_and_emptied(scene, bounds):
    """Redis killed, nothing kept (no appendonly)"""
    cluster = scene.cluster
    with scene.busy():

        def fault():
            cluster.redis.kill()
            cluster.forget_redis()
            cluster.redis.start()

        scene.inject(fault, messages_lost=True)
    assert scene.account.worst_taken_back < bounds["message"] + 10


@pytest.mark.req("goal-14")
def test_flushall(scene, bounds):
    """FLUSHALL"""
    with scene.busy():
        scene.inject(scene.cluster.redis_flush, messages_lost=True)
    assert scene.account.worst_taken_back < bounds["message"]


@pytest.mark.exhaustive
def test_client_kill(scene):
    """CLIENT KILL of every Redis connection"""
    cluster = scene.cluster
    with scene.busy():

        def fault():
            with Redis.from_url(cluster.redis.url) as client:
                for kind in ("normal", "pubsub"):
                    client.client_kill_filter(_type=kind, skipme=True)

        for _ in range(2):
            scene.inject(fault, messages_lost=True)
            time.sleep(1.0)


@pytest.mark.req("goal-14")
def test_postgres_crashed(scene):
    """Postgres crashed and restarted"""
    cluster = scene.cluster
    with scene.busy():

        def fault():
            cluster.postgres.child.send(signal.SIGQUIT)  # immediate: recovery at the next start
            cluster.postgres.child.wait(20)

        scene.inject(fault)
        time.sleep(2.0)
        cluster.postgres.start()


@pytest.mark.exhaustive
def test_connections_severed(scene):
    """every Postgres connection severed"""
    with scene.busy():

        def fault():
            scene.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

        for _ in range(3):
            scene.inject(fault)
            time.sleep(0.7)


# ---- messages


@pytest.mark.exhaustive
@pytest.mark.req("goal-14")
def test_every_message_ten_times(scene):
    """every message delivered ten times"""
    cluster = scene.cluster
    celery = create_celery(cluster.process_settings())
    with scene.callers():
        jobs = scene.work()

        def fault():
            for _ in range(9):
                for job in jobs:
                    row = get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"])
                    send_job(celery, row)
                    send_finalize(celery, row) if row.fanned_out_at else None
                for ref in scene.chunk_refs():
                    send_chunk(celery, ref)

        scene.inject(fault)
        scene.wait_in_flight(jobs=3)
        scene.inject(fault)
        scene.settle()
    for job in jobs:
        ended = get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"])
        assert ended.attempt == 1, "a duplicate ran"
        assert {c["attempt"] for c in list_chunks(cluster.database, ended.id)} <= {1}


@pytest.mark.exhaustive
@pytest.mark.req("goal-14")
def test_chord_body_twice_and_never(scene, bounds):
    """chord headers killed, its body delivered twice, and never"""
    cluster = scene.cluster
    celery = create_celery(cluster.process_settings())
    kinds = ("featurize", "optimize", "predict", "predict")
    with scene.callers():
        jobs = scene.work(kinds)
        scene.wait_in_flight(jobs=2)
        twice, never = jobs[:2], jobs[2:]
        stop = threading.Event()

        def fault():
            cluster.signal_children(signal.SIGKILL, "predict", "cpu")
            # the chord counts its headers in Redis: without the counter no body is ever sent
            while not stop.wait(0.02):
                with Redis.from_url(cluster.redis.url) as client:
                    for key in client.scan_iter("celery-taskset-meta-*", count=1000):
                        client.delete(key)
                for job in twice:
                    send_finalize(celery, get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"]))

        thread = threading.Thread(target=fault)
        scene.inject(thread.start)
        try:
            wait_for(lambda: not scene.chunk_refs(), "all chunks have ended", 60)
            time.sleep(1.0)
        finally:
            stop.set()
            thread.join()
        scene.settle(seconds=bounds["message"] + 60)
    assert len(never) == 2


# ---- poison


def test_poison(scene):
    """molecules that crash, hang, and eat memory"""
    cluster = scene.cluster
    poison = {17: CRASHES, 41: HANGS, 77: EATS_MEMORY}
    smiles = ["C" * (1 + n % 9) + "O" for n in range(120)]
    for row, text in poison.items():
        smiles[row] = text
    path = cluster.home / "poison.csv"
    path.write_text("smiles,y\n" + "".join(f"{text},1\n" for text in smiles))
    with scene.callers():
        file = scene.client.files.upload(path)
        batch = scene.client.jobs.submit(
            "predict", {"model": "base", "file_id": file["id"], "chunk_rows": 8}
        )
        scene.jobs = [batch]
        scene.refused_rows = {batch["id"]: len(poison)}
        scene.inject(lambda: None)
        ended = scene.client.jobs.wait(batch["id"])
        scene.settle()
    assert ended["counts"] == {"rows_total": 120, "rows_ok": 117, "rows_failed": 3}
    refused = scene.rows_of_batch(batch, status="error")
    assert sorted(row["row"] for row in refused) == [row + 1 for row in poison]
    reasons = {row["row"] - 1: row["reason"] for row in refused}
    assert "crashed" in reasons[17]
    assert "took longer" in reasons[41]
    assert "GiB of memory" in reasons[77]


# ---- blobs, tracking


@pytest.mark.exhaustive
def test_blob_store_refuses(scene):
    """blob store refuses every write and read"""
    cluster = scene.cluster
    away = cluster.storage_root.with_name("blobs-away")
    scene.work(seconds=3.0)
    scene.wait_in_flight()

    def fault():
        cluster.storage_root.rename(away)
        cluster.storage_root.write_text("not a folder")

    scene.inject(fault)
    try:
        time.sleep(5.0)
        answer = scene.upload_raw()
        assert answer.status_code == 503, answer.text
        assert "Retry-After" in answer.headers
    finally:
        cluster.storage_root.unlink()
        away.rename(cluster.storage_root)
    with scene.callers():
        scene.settle()


@pytest.mark.exhaustive
def test_disk_full(scene):
    """disk full (the kernel refuses to write)"""
    cluster = scene.cluster
    scene.work(seconds=3.0)
    scene.wait_in_flight()

    def limit(size):
        for name in WITH_FORKS:
            for process in cluster.family(name):
                process.rlimit(psutil.RLIMIT_FSIZE, (size, psutil.RLIM_INFINITY))

    scene.inject(lambda: limit(0))
    try:
        time.sleep(5.0)
    finally:
        limit(psutil.RLIM_INFINITY)
    with scene.callers():
        scene.settle()


@pytest.mark.exhaustive
def test_mlflow_down(scene):
    """MLflow down from the start, then up"""
    cluster = scene.cluster
    with scene.callers():
        scene.inject(lambda: None)
        (job,) = scene.work(["train cpu"], seconds=0.5)
        scene.settle()
    query = "SELECT tracked_at, mlflow_run_id FROM models WHERE job_id = %s"
    assert scene.rows(query, job["id"])[0]["tracked_at"] is None
    cluster.launch_mlflow()
    try:
        wait_for(lambda: scene.rows(query, job["id"])[0]["mlflow_run_id"], "it is tracked", 120)
    finally:
        cluster.children.pop("mlflow").kill()


# ---- people


@pytest.mark.exhaustive
@pytest.mark.req("goal-7")
def test_cancel_at_every_stage(scene):
    """cancel at every stage"""
    cluster = scene.cluster
    waiting = []
    for delay in (0.0, 0.3, 0.8, 1.6, 3.2):
        jobs = scene.work(KINDS, seconds=4.0)
        child = scene.submit("train cpu", needs=[jobs[0]["id"]])
        scene.jobs.append(child)
        waiting.append(child["id"])
        time.sleep(delay)
        for job in (*jobs, child):
            scene.may_end[job["id"]] = {"cancelled", "succeeded"}
            scene.inject(lambda job=job: scene.client.jobs.cancel(job["id"]))
        # a job whose need was cancelled first has failed for that reason
        scene.may_end[child["id"]] |= {"failed"}
    scene.account.in_flight = len(scene.jobs)
    scene.settle()
    ended = [get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"]) for job in scene.jobs]
    assert sum(job.state == "cancelled" for job in ended) > len(ended) / 2
    assert {j.error["code"] for j in ended if j.state == "failed"} <= {"dependency_failed"}


@pytest.mark.exhaustive
@pytest.mark.req("goal-3")
def test_deadlines(scene):
    """deadline passed while queued, waiting and running"""
    cluster = scene.cluster
    cluster.signal_family(signal.SIGSTOP, "gpu")
    try:
        queued = scene.submit("train gpu", deadline_seconds=2)
        waiting = scene.submit("train cpu", needs=[queued["id"]], deadline_seconds=1)
        running = [
            scene.submit("train cpu", seconds=60, deadline_seconds=3),
            scene.submit("featurize", seconds=120, deadline_seconds=3),
        ]
        scene.jobs = [queued, waiting, *running]
        scene.inject(lambda: time.sleep(4))
    finally:
        cluster.signal_family(signal.SIGCONT, "gpu")
    scene.may_end = {
        queued["id"]: {"failed"},
        waiting["id"]: {"failed"},
        **{job["id"]: {"cancelled"} for job in running},
    }
    scene.settle()
    for job in scene.jobs:
        error = get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"]).error
        assert error["code"] in ("deadline_exceeded", "dependency_failed")


@pytest.mark.exhaustive
def test_full_queue_is_answered_with_429(scene):
    """more jobs than one key may have waiting"""
    cluster = scene.cluster
    cluster.relaunch("gateway", {"RETORT_MAX_WAITING_JOBS": "20"})
    cluster.signal_family(signal.SIGSTOP, "cpu")
    try:
        body = {
            "kind": "train",
            "params": {
                "dataset": "esol",
                "targets": [ESOL_TARGET],
                "features": [{"name": "probe_atoms"}],
                "algorithm": {"name": "probe_slow"},
                "bootstrap": 0,
                "name": "many",
            },
        }
        headers = {"Authorization": f"Bearer {cluster.key}"}
        answers = [
            httpx.post(f"{cluster.url}/api/v1/jobs", json=body, headers=headers, timeout=30)
            for _ in range(40)
        ]
    finally:
        cluster.signal_family(signal.SIGCONT, "cpu")
        cluster.relaunch("gateway", {})
    accepted = [answer.json() for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(accepted) + len(refused) == 40
    # two may have been taken by the stopped worker's children before they stood still
    assert 20 <= len(accepted) <= 24
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert {answer.json()["code"] for answer in refused} == {"too_many_jobs"}
    scene.jobs = accepted
    scene.inject(lambda: None)
    scene.settle()


@pytest.mark.exhaustive
def test_small_jobs_do_not_wait_behind_a_large_batch(scene):
    """no fault: a small batch behind a large one"""
    large_file = scene.client.files.upload(DATA / "lipophilicity.csv")
    with scene.callers() as callers:
        params = {"model": "slow", "file_id": large_file["id"], "chunk_rows": 60, "cache": False}
        large = scene.client.jobs.submit("predict", params)
        scene.jobs.append(large)
        wait_for(lambda: len(scene.chunk_refs()) > 30, "the large batch has its chunks", 60)
        small = scene.work(["predict"])[0]
        answered = callers.answered
        scene.inject(lambda: None)
        scene.client.jobs.wait(small["id"])
        left = len([ref for ref in scene.chunk_refs() if str(ref.job_id) == large["id"]])
        assert left > 10, "the small batch stood behind the large one"
        assert callers.answered > answered, "synchronous predictions stood still"
        scene.settle()


@pytest.mark.exhaustive
def test_urgent_jobs_go_first(scene):
    """no fault: a job of priority 9 behind ten of priority 1"""
    cluster = scene.cluster
    cluster.signal_family(signal.SIGSTOP, "cpu")
    try:
        patient = [scene.submit("train cpu", seconds=0.2, priority=1) for _ in range(10)]
        urgent = scene.submit("train cpu", seconds=0.2, priority=9)
        time.sleep(1.0)  # the relay has published them
    finally:
        cluster.signal_family(signal.SIGCONT, "cpu")
    scene.jobs = [*patient, urgent]
    scene.inject(lambda: None)
    scene.settle()
    started = {
        job["id"]: get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"]).started_at
        for job in scene.jobs
    }
    before = sum(started[job["id"]] < started[urgent["id"]] for job in patient)
    # each of the two children may have been handed one message before it stood still
    assert before <= 3


assert set(WORKERS) == set(WITH_FORKS)
assert os.name == "posix"
