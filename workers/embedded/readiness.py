"""When the cluster is ready: the gateway says so, and every queue has a worker."""

import socket
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from redis import Redis, RedisError

from app.jobs.workers import alive_workers
from workers.embedded.cluster import Cluster

_TIMEOUT = 2.0


def missing(cluster: Cluster, since: float) -> list[str]:
    """What is not there yet; `since`: workers older than that (epoch seconds) are not ours."""
    boards = {"mlflow", "flower", "tensorboard"} & {spec.name for spec in cluster.specs()}
    names = [name for name in sorted(boards) if not listens(cluster.address(name))]
    names += _queues_without_worker(cluster, since)
    if not answers(f"{cluster.address('gateway')}/health/ready"):
        names.append("gateway")
    return names


def _queues_without_worker(cluster: Cluster, since: float) -> list[str]:
    url = cluster.environment["RETORT_CACHE_URL"]
    try:
        with Redis.from_url(url, socket_timeout=_TIMEOUT) as client:
            found = [worker for worker in alive_workers(client) if worker.started_at >= since]
    except RedisError:
        found = []
    served = {queue for worker in found for queue in worker.queues}
    return [spec.name for spec in cluster.specs() if not served.issuperset(spec.queues)]


def listens(url: str) -> bool:
    parts = urlsplit(url)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 80), _TIMEOUT):
            return True
    except OSError:
        return False


def answers(url: str) -> bool:
    """Whether a GET is answered with a 2xx status."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 - our own URL
            return bool(answer.status < 300)  # noqa: PLR2004
    except (urllib.error.URLError, OSError):
        return False
