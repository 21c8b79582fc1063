"""Every queue and what it carries, on one screen."""

from typing import Final

from kombu import Queue

from app.jobs.chunks import bulk_of

#: ingest, featurize, classic training, trials
CPU: Final = "cpu"
#: torch training; one process per GPU
GPU: Final = "gpu"
#: batch prediction chunks
PREDICT: Final = "predict"
#: up to 100 molecules, answered at once by warm models; never behind a batch
PREDICT_NOW: Final = "predict_now"
#: sweeper, tracking, clean-up
CONTROL: Final = "control"

#: jobs, and the first chunks of each divided one; beside each a queue for the rest of the chunks.
#: A worker takes from both in turn, so that a batch of 100,000 rows delays nobody else's small
#: job by more than the chunk that runs
DIVIDED: Final = (CPU, GPU, PREDICT)
BULK: Final = tuple(bulk_of(name) for name in DIVIDED)

#: as people see them: later chunks belong to the queue of their job
OF_JOBS: Final = (*DIVIDED, PREDICT_NOW, CONTROL)

NAMES: Final = (*DIVIDED, *BULK, PREDICT_NOW, CONTROL)

#: a job's priority, 0 to 9, higher first; Redis lists are read from level 0 on
LEVELS: Final = 10
HIGHEST: Final = LEVELS - 1

#: RabbitMQ cuts off who acknowledges later (milliseconds), and ours do so after the work. Never to
#: be changed: a queue cannot be declared again with another value. Known to RabbitMQ since 3.12
_CONSUMER_TIMEOUT: Final = 30 * 86_400_000

QUEUES: Final = tuple(Queue(name, routing_key=name) for name in NAMES)

#: the same on RabbitMQ, where a queue says itself that it has priorities
RABBITMQ_QUEUES: Final = tuple(
    Queue(
        name,
        routing_key=name,
        queue_arguments={"x-max-priority": HIGHEST, "x-consumer-timeout": _CONSUMER_TIMEOUT},
    )
    for name in NAMES
)


def consumed_with(name: str) -> tuple[str, ...]:
    """The queues that the worker of `name` consumes."""
    return (name, bulk_of(name)) if name in DIVIDED else (name,)


def redis_level(priority: int) -> int:
    """Kombu's Redis transport takes level 0 first; RabbitMQ takes the highest priority first."""
    return HIGHEST - priority


def redis_list(queue: str, priority: int) -> str:
    """The list in which kombu's Redis transport keeps messages of this priority."""
    level = redis_level(priority)
    return f"{queue}\x06\x16{level}" if level else queue
