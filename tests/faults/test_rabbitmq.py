"""RabbitMQ as broker, by one setting: a node of our own that is killed with work in flight."""

import os
import shutil

import httpx
import pytest

from app.db.base import DEFAULT_PROJECT_ID
from app.jobs.store import get_job, list_events
from tests.support.fault_cluster import FAST
from tests.support.rabbitmq import RabbitCluster, rabbitmq_binary
from tests.support.scene import Account, Scene
from tests.support.servers import new_home
from tests.support.waiting import wait_for
from workers.broker import look
from workers.celery_app import create_celery
from workers.dispatch import Dispatcher

pytestmark = [pytest.mark.slow, pytest.mark.rabbitmq]


@pytest.fixture(scope="module")
def cluster():
    rabbitmq_binary()
    home = new_home("retort-rabbit-")
    found = RabbitCluster(home, FAST)
    try:
        found.start()
        with found.client() as client:
            Scene.prepare(client)
        yield found
    finally:
        found.stop()
        if kept := os.environ.get("RETORT_FAULT_LOGS"):
            shutil.copytree(home / "logs", kept, dirs_exist_ok=True)
            shutil.copy2(found.rabbit.log, kept)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def scene(cluster):
    cluster.ensure_running()
    cluster.wait_ready()
    with cluster.client() as client:
        yield Scene(cluster, client, Account(fault="RabbitMQ killed"))


def health(cluster):
    answer = httpx.get(f"{cluster.url}/health/ready", timeout=15)
    return answer.status_code, answer.json()["checks"]["broker"]


def test_killed_and_restarted_with_jobs_of_every_kind_in_flight(scene):
    cluster = scene.cluster
    assert health(cluster) == (200, "ok")
    with scene.busy(settle=300):
        scene.inject(cluster.rabbit.kill)
        assert health(cluster) == (200, "BrokerSilent"), "the gateway goes on without the broker"
        # accepted meanwhile: it waits in Postgres
        scene.jobs.append(scene.submit("train cpu", seconds=0.5))
        cluster.rabbit.start(240)
    for job in scene.jobs:
        row = get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"])
        assert (row.attempt, row.crash_count) == (1, 0), "a broker's restart costs no attempt"
        begun = [
            e for e in list_events(cluster.database, row.id) if e.data.get("state") == "running"
        ]
        assert len(begun) == 1, "nothing ran twice"
    wait_for(lambda: health(cluster) == (200, "ok"), "the gateway says so")


def test_urgent_jobs_go_first_and_messages_outlive_the_node(scene):
    """The relay's own way out, with nobody consuming; read as a worker would read them."""
    cluster = scene.cluster
    names = ("cpu", "beat", "control")
    for name in names:
        cluster.children[name].stop(60)
    celery = create_celery(cluster.process_settings())
    jobs = [scene.submit("train cpu", seconds=0.1, priority=n) for n in (1, 9, 5, 9)]
    scene.jobs += jobs
    wait_for(lambda: "cpu" not in look(celery).empty_queues, "the gateway's relay has sent", 30)
    cluster.rabbit.stop(60)
    cluster.rabbit.start(240)
    relay = Dispatcher(celery)
    relay.start()
    relay.enqueue(get_job(cluster.database, DEFAULT_PROJECT_ID, jobs[0]["id"]))
    relay.close()
    with celery.connection_for_read() as connection:
        queue = celery.amqp.queues["cpu"].bind(connection.default_channel)
        wait_for(lambda: queue.queue_declare().message_count == 5, "all are there", 20)
        read = [queue.get(no_ack=False) for _ in range(5)]
        assert [message.properties["priority"] for message in read] == [9, 9, 5, 1, 1]
        first = str(read[0].headers["id"]).partition(".")[0]
        assert first == jobs[1]["id"], "among equals the oldest"
        for message in read:
            message.requeue()
    cluster.ensure_running()
    scene.settle(seconds=300)
    rows = [get_job(cluster.database, DEFAULT_PROJECT_ID, job["id"]) for job in jobs]
    assert {row.attempt for row in rows} == {1}, "the message that came twice ran once"
