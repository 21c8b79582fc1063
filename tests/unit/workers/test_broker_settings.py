"""One setting chooses the broker; everything that differs follows from it."""

import pytest

from app.core.settings import Settings
from workers.broker import on_redis
from workers.celery_app import create_celery
from workers.dispatch import _broker_priority
from workers.queues import NAMES

REDIS = "redis://127.0.0.1:1/0"
RABBIT = "amqp://user:secret@127.0.0.1:1/retort"


def celery(broker):
    return create_celery(Settings(broker_url=broker, redis_url=REDIS))


def test_on_rabbitmq_queues_say_that_they_have_priorities_and_patience():
    app = celery(RABBIT)
    assert set(app.amqp.queues) == set(NAMES)
    for name in NAMES:
        queue = app.amqp.queues[name]
        assert queue.durable
        assert queue.queue_arguments["x-max-priority"] == 9
        # longer than any job may run
        longest = Settings().hard_time_limit * 1000
        assert queue.queue_arguments["x-consumer-timeout"] > longest
    assert app.conf.broker_transport_options == {"confirm_publish": True}
    assert app.conf.result_backend == REDIS


def test_on_redis_nothing_of_that():
    app = celery("")
    assert {app.amqp.queues[name].queue_arguments for name in NAMES} == {None}
    assert "visibility_timeout" in app.conf.broker_transport_options


@pytest.mark.parametrize(
    ("url", "expected"),
    [(REDIS, True), ("rediss://h/0", True), (RABBIT, False), ("amqps://h/v", False)],
)
def test_which_broker(url, expected):
    assert on_redis(url) is expected


def test_rabbitmq_takes_the_highest_number_first_redis_the_lowest():
    assert [_broker_priority(celery(RABBIT), n) for n in (0, 9)] == [0, 9]
    assert [_broker_priority(celery(""), n) for n in (0, 9)] == [9, 0]
