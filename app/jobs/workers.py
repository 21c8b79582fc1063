"""Which workers are alive: each tells it to Redis every few seconds. A hint, never the truth."""

from dataclasses import asdict, dataclass
from typing import Any

import orjson
import redis

_PREFIX = "retort:worker:"
_TTL_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class WorkerInfo:
    """One worker as it told about itself."""

    name: str
    queues: list[str]
    processes: list[int]
    started_at: float


def announce(client: "redis.Redis[bytes]", worker: WorkerInfo) -> None:
    client.set(f"{_PREFIX}{worker.name}", orjson.dumps(asdict(worker)), ex=_TTL_SECONDS)


def withdraw(client: "redis.Redis[bytes]", name: str) -> None:
    client.delete(f"{_PREFIX}{name}")


def alive_workers(client: "redis.Redis[bytes]") -> list[WorkerInfo]:
    """Those that told of themselves in the last 30 seconds; raises redis errors."""
    keys = list(client.scan_iter(match=f"{_PREFIX}*", count=1000))
    if not keys:
        return []
    values: list[Any] = client.mget(keys)
    found = [WorkerInfo(**orjson.loads(value)) for value in values if value]
    return sorted(found, key=lambda worker: worker.name)
