"""What Prometheus scrapes: of this process its requests and predictions, of the cluster its jobs.

Figures of the cluster come from Postgres and Redis at every scrape, so each gateway tells the same;
counters of jobs count what this process has seen happen since its first scrape, so of several
gateways take one (`max`), not the sum. A source that does not answer is told as such, and the rest
is given.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import redis
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from sqlalchemy.exc import SQLAlchemyError

from api.cluster_metrics import WorkerFigures
from app.jobs.workers import alive_workers
from app.monitoring.figures import STATES, read_figures
from app.monitoring.transitions import Transition, TransitionTail
from app.resources import Resources
from workers.queues import OF_JOBS
from workers.serving.protocol import FIRST, LONG_QUESTIONS, QUESTIONS

logger = logging.getLogger(__name__)

_ENDED = ("succeeded", "failed", "cancelled")
#: from a cached prediction to the longest long-poll
_REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
#: from a preview to a night of tuning
_JOB_BUCKETS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600)
_INPUT_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 1000)
_OUTAGES = (psycopg.Error, SQLAlchemyError, redis.RedisError, OSError)


class Telemetry:
    """Of one gateway process."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._lock = threading.Lock()
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._requests = Histogram(
            "retort_http_request_seconds",
            "Requests to this gateway until their answer began",
            ["method", "route", "status"],
            buckets=_REQUEST_BUCKETS,
            registry=registry,
        )
        self._inputs = Counter(
            "retort_predicted_inputs",
            "Inputs that this gateway answered at once, by whether the answer was known",
            ["cache"],
            registry=registry,
        )
        self._asked = Histogram(
            "retort_prediction_inputs",
            "Inputs of one request for predictions at once",
            buckets=_INPUT_BUCKETS,
            registry=registry,
        )
        self._limited = Counter(
            "retort_rate_limited", "Requests answered with 429 rate_limited", registry=registry
        )
        self._unknown = Counter(
            "retort_rate_limit_outages",
            "Times that requests were let through uncounted, because Redis did not answer",
            registry=registry,
        )
        self._cluster = _Cluster(registry)
        self._workers = WorkerFigures(registry)
        self._jobs = _Jobs(registry)
        self._tail = TransitionTail(resources.database)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """`route`: its template, so that no name or id becomes a label."""
        self._requests.labels(method, route, status).observe(seconds)

    def predicted(self, hits: int, misses: int) -> None:
        self._asked.observe(hits + misses)
        if hits:
            self._inputs.labels("hit").inc(hits)
        if misses:
            self._inputs.labels("miss").inc(misses)

    def rate_limited(self) -> None:
        self._limited.inc()

    def rates_unknown(self) -> None:
        self._unknown.inc()

    def render(self) -> bytes:
        """The text format of Prometheus."""
        with self._lock:
            with self._cluster.asked("postgres"):
                self._cluster.tell_jobs(self._resources)
                for transition in self._tail.read():
                    self._jobs.count(transition)
            with self._cluster.asked("redis"):
                self._cluster.tell_questions(self._resources)
            with self._cluster.asked("cache"):
                self._cluster.tell_workers(self._resources)
                self._workers.tell(self._resources)
            return generate_latest(self.registry)


class _Jobs:
    """Counters of what happens to jobs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._transitions = Counter(
            "retort_job_transitions",
            "Changes of state, by what brought them about; cause: the code of the job's problem",
            ["kind", "trigger", "state", "cause"],
            registry=registry,
        )
        self._waited = Histogram(
            "retort_job_wait_seconds",
            "From when a job could be taken until a worker took it",
            ["kind"],
            buckets=_JOB_BUCKETS,
            registry=registry,
        )
        self._ran = Histogram(
            "retort_job_run_seconds",
            "From a job's first start to its end",
            ["kind", "state"],
            buckets=_JOB_BUCKETS,
            registry=registry,
        )

    def count(self, seen: Transition) -> None:
        cause = seen.cause if seen.state in ("failed", "retrying") else "none"
        self._transitions.labels(seen.kind, seen.trigger, seen.state, cause).inc()
        if seen.trigger == "claim":
            self._waited.labels(seen.kind).observe(max(0.0, seen.waited))
        if seen.state in _ENDED and seen.ran is not None:
            self._ran.labels(seen.kind, seen.state).observe(seen.ran)


class _Cluster:
    """Gauges of the whole cluster, told anew at every scrape."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, about: str, labels: Sequence[str] = ()) -> Gauge:
            return Gauge(name, about, labels, registry=registry)

        self._answers = gauge("retort_up", "1 while that answers, else 0", ["part"])
        self._jobs = gauge("retort_jobs", "Jobs that have not ended", ["queue", "state"])
        self._oldest = gauge(
            "retort_job_oldest_queued_seconds", "Age of the oldest queued job", ["queue"]
        )
        self._chunks = gauge("retort_chunks", "Open parts of divided jobs", ["queue", "state"])
        self._overdue = gauge(
            "retort_job_lease_overdue_seconds",
            "Since the first lease of a running job ran out that the sweeper has not taken back",
        )
        self._events = gauge(
            "retort_events_waiting", "Published events that a reader has not had", ["reader"]
        )
        self._workers = gauge("retort_workers", "Workers that consume the queue", ["queue"])
        self._processes = gauge("retort_worker_processes", "Their processes", ["queue"])
        self._questions = gauge(
            "retort_predictions_waiting", "Questions that no serving process has taken yet"
        )

    @contextmanager
    def asked(self, part: str) -> Iterator[None]:
        try:
            yield
        except _OUTAGES as error:
            logger.warning("%s does not answer the scrape: %s", part, error)
            self._answers.labels(part).set(0)
        else:
            self._answers.labels(part).set(1)

    def tell_jobs(self, resources: Resources) -> None:
        figures = read_figures(resources.database)
        for queue in OF_JOBS:
            self._oldest.labels(queue).set(figures.oldest_queued.get(queue, 0.0))
            for state in STATES:
                self._jobs.labels(queue, state).set(figures.jobs.get((queue, state), 0))
            for state in ("queued", "running"):
                self._chunks.labels(queue, state).set(figures.chunks.get((queue, state), 0))
        self._overdue.set(figures.lease_overdue)
        for reader, number in figures.events_waiting.items():
            self._events.labels(reader).set(number)

    def tell_workers(self, resources: Resources) -> None:
        workers = alive_workers(resources.cache)
        for queue in OF_JOBS:
            of_queue = [worker for worker in workers if queue in worker.queues]
            self._workers.labels(queue).set(len(of_queue))
            self._processes.labels(queue).set(sum(len(one.processes) for one in of_queue))

    def tell_questions(self, resources: Resources) -> None:
        client: Any = resources.redis
        self._questions.set(sum(client.llen(name) for name in (FIRST, QUESTIONS, LONG_QUESTIONS)))
