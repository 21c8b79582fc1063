"""Messages: what we write directly is what Celery itself writes, and a queue name is checked."""

import base64
import json
import time

import pytest

from app.db.base import DEFAULT_PROJECT_ID
from app.jobs.submit import NewJob, submit_job
from workers.dispatch import Dispatcher, send_job
from workers.queues import redis_list
from workers.wire import push_jobs


@pytest.fixture
def celery(resources):
    from workers.celery_app import create_celery

    return create_celery(resources.settings)


@pytest.fixture
def job(resources):
    new = NewJob(
        project_id=DEFAULT_PROJECT_ID, kind="train", queue="cpu", params={}, created_by="t"
    )
    return submit_job(resources.database, new).job


def popped(resources):
    message = json.loads(resources.redis.rpop(redis_list("cpu", 5)))
    message["body"] = json.loads(base64.b64decode(message["body"]))
    message["properties"].pop("delivery_tag")
    message["properties"].pop("reply_to")
    message["headers"].pop("origin")
    return message


def test_our_message_is_celerys_message(resources, celery, job):
    send_job(celery, job)
    push_jobs(resources.redis, [job])
    theirs, ours = popped(resources), popped(resources)
    assert ours == theirs


def test_the_relay_publishes_all_that_it_was_given(resources, celery, job):
    relay = Dispatcher(celery)
    relay.start()
    for _ in range(100):
        relay.enqueue(job)
        relay.enqueue(*[job] * 4)
    relay.close()
    assert resources.redis.llen(redis_list("cpu", 5)) == 500


def test_a_broker_that_is_away_costs_the_client_nothing(resources, job, monkeypatch):
    from app.core.settings import Settings
    from workers.celery_app import create_celery
    from workers.servers import free_port

    settings = Settings(broker_url=f"redis://127.0.0.1:{free_port()}/0")
    relay = Dispatcher(create_celery(settings))
    relay.start()
    started = time.monotonic()
    relay.enqueue(job)
    assert time.monotonic() - started < 0.5
    relay.close()


def test_another_broker_goes_through_celery(celery, job, monkeypatch):
    celery.conf.broker_url = "memory://"
    relay = Dispatcher(celery)
    sent = []
    monkeypatch.setattr("workers.dispatch.send_job", lambda _celery, job: sent.append(job.id))
    relay.start()
    relay.enqueue(job)
    relay.close()
    assert sent == [job.id]


def test_a_higher_priority_is_taken_first_and_equals_take_turns(resources, celery):
    """What a worker's consumer does, with kombu's own transport and our settings."""
    from workers.queues import QUEUES

    def post(queue, priority):
        job = submit_job(
            resources.database,
            NewJob(
                project_id=DEFAULT_PROJECT_ID,
                kind="train",
                queue=queue,
                params={},
                created_by="t",
                priority=priority,
            ),
        ).job
        push_jobs(resources.redis, [job])
        return str(job.id)

    bulk = [post("cpu_bulk", 5) for _ in range(4)]
    small = [post("cpu", 5) for _ in range(2)]
    urgent, idle = post("cpu", 9), post("cpu", 0)
    taken = []
    with celery.connection_for_read() as connection:
        chosen = [queue for queue in QUEUES if queue.name in ("cpu", "cpu_bulk")]
        consumer = connection.Consumer(
            chosen,
            accept=["json"],
            on_message=lambda message: (
                taken.append(message.headers["id"].partition(".")[0]),
                message.ack(),
            ),
        )
        with consumer:
            while len(taken) < 8:
                connection.drain_events(timeout=5)
    assert taken[0] == urgent
    assert taken[-1] == idle
    assert taken.index(small[1]) < taken.index(bulk[3]), "the later small job does not wait"
    assert taken.index(bulk[0]) < taken.index(small[1]), "nor does the batch stand still"


def test_a_broker_that_was_emptied_says_so_once(resources, celery):
    from workers.broker import look

    look(celery)
    assert not look(celery).has_forgotten
    resources.redis.flushall()
    assert look(celery).has_forgotten
    assert not look(celery).has_forgotten
