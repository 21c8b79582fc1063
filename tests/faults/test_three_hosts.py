"""Three hosts, joined by nothing but a network, and the cable of one is pulled."""

import os
import shutil
import time
from functools import partial
from uuid import UUID

import pytest

from app.db.base import DEFAULT_PROJECT_ID
from app.integrity.blobs import missing_blobs
from app.integrity.records import broken_rules
from app.jobs.store import get_job, list_attempts
from tests.support.fault_cluster import FAST
from tests.support.hosts import skip_without_namespaces
from tests.support.molecules import DATA, ESOL_TARGET
from tests.support.servers import new_home
from tests.support.three_hosts import three_hosts
from tests.support.waiting import wait_for
from workers.celery_app import create_celery

pytestmark = pytest.mark.slow

MORGAN = [{"name": "morgan_counts"}]
LEARN = {"dataset": "esol", "targets": [ESOL_TARGET], "features": MORGAN, "bootstrap": 0}
ONE_FIT = {**LEARN, "calibration": "split"}
QUICK = {"name": "lightgbm", "params": {"n_estimators": 50}}
NETWORK = {"name": "mlp", "params": {"hidden_sizes": [32], "max_epochs": 3}}


@pytest.fixture
def cluster():
    skip_without_namespaces()
    home = new_home("retort-hosts-")
    try:
        with three_hosts(home, FAST) as found:
            yield found
    finally:
        if kept := os.environ.get("RETORT_FAULT_LOGS"):
            shutil.copytree(home / "logs", kept, dirs_exist_ok=True)
        shutil.rmtree(home, ignore_errors=True)


def row(cluster, job):
    return get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"])


def place(cluster, job):
    """The host of each attempt's worker."""
    attempts = list_attempts(cluster.database, row(cluster, job).id)
    return [a["worker"].partition("@")[2].partition("#")[0] for a in attempts]


def take_over(cluster, worker):
    """As an operator does: a worker that is there consumes one more queue."""
    celery = create_celery(cluster.process_settings())
    answer = celery.control.add_consumer("cpu", destination=[worker], reply=True, timeout=10)
    assert "ok" in answer[0][worker], answer


@pytest.mark.req("goal-14", "K-4", "F-02")
def test_the_main_job_on_three_hosts_of_which_one_loses_its_network(cluster):
    with cluster.client() as client:
        dataset = client.datasets.create(DATA / "esol.csv", "esol", roles={ESOL_TARGET: "target"})
        assert dataset["rows_ok"] > 1000
        submit, wait = client.jobs.submit, client.jobs.wait

        # ---- the main job: features and classic training on b, a network on c
        features = submit("featurize", {"dataset": "esol", "features": MORGAN})
        quick = submit("train", {**ONE_FIT, "algorithm": QUICK, "name": "quick"})
        network = submit("train", {**ONE_FIT, "algorithm": NETWORK, "name": "network"})
        for job in (features, quick, network):
            assert wait(job["id"])["state"] == "succeeded"
        assert place(cluster, features) == ["host-b"]
        assert place(cluster, quick) == ["host-b"]
        assert place(cluster, network) == ["host-c"]
        file = client.files.upload(DATA / "esol.csv")
        batch = submit("predict", {"model": "quick", "file_id": file["id"], "chunk_rows": 300})
        assert wait(batch["id"])["counts"]["rows_ok"] == 1128

        # ---- b's cable is pulled in the middle of a training
        slow = {"name": "probe_slow", "params": {"seconds": 22.0}}
        training = submit("train", {**ONE_FIT, "algorithm": slow, "name": "slow"})
        wait_for(lambda: row(cluster, training).progress.get("stage") == "fit", "b trains")
        attempts = partial(list_attempts, cluster.database, UUID(training["id"]))
        cluster.b.cut()
        cut_at = time.monotonic()
        take_over(cluster, "predict-c@host-c")
        waiting = submit("predict", {"model": "quick", "file_id": file["id"], "chunk_rows": 300})
        meanwhile = submit("train", {**ONE_FIT, "algorithm": NETWORK, "name": "meanwhile"})
        wait_for(lambda: attempts()[0]["outcome"] == "lost", "its lease is lost", 60)
        lease, sweep = float(FAST["RETORT_LEASE_SECONDS"]), float(FAST["RETORT_SWEEP_SECONDS"])
        assert time.monotonic() - cut_at < lease + sweep + 10
        wait_for(lambda: place(cluster, training) == ["host-b", "host-c"], "c has it", 60)

        # ---- the cable is back: at its next heartbeat b is told that the job is another's. On a
        # machine so slow that its fit ended before, it could not store the model, and the end that
        # it writes for that reason is refused
        cluster.b.heal()
        told = ("LeaseLost", "the blob store does not answer")
        wait_for(lambda: any(word in cluster.log("cpu-b") for word in told), "b has stopped", 60)
        for job in (meanwhile, waiting, training):
            assert wait(job["id"])["state"] == "succeeded"
        assert [a["outcome"] for a in attempts()] == ["lost", "succeeded"]
        ended = [row(cluster, job) for job in (meanwhile, training, waiting)]

        # ---- and b works again
        cluster.children.pop("predict-c").stop(60)
        again = submit("train", {**ONE_FIT, "algorithm": QUICK, "name": "again"})
        assert wait(again["id"])["state"] == "succeeded"
        assert place(cluster, again) == ["host-b"]
    assert [row(cluster, job) for job in (meanwhile, training, waiting)] == ended
    assert broken_rules(cluster.database, quiet=True) == []
    assert list(missing_blobs(cluster.database, cluster.storage)) == []
    assert not (cluster.home / "not-used").exists(), "somebody wrote to a folder, not to S3"
