"""What workers tell of themselves beyond being alive: memory, GPUs, sweeps and drains.

In the cache, beside the announcements of app/jobs/workers.py and not within them: a gateway of the
release before reads those strictly. Totals that the cache has lost begin anew, as those of a
process that was started again; Prometheus expects that of counters.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import orjson
from redis import Redis

_USAGE = "retort:usage:"
_USAGE_TTL_SECONDS = 60
_SWEEPS = "retort:sweeps"
_DRAINS = "retort:drains"
#: fields of the hash of sweeps that count what was found begin so
_FOUND = "found:"


@dataclass(frozen=True, kw_only=True)
class GpuUsage:
    index: str
    #: bytes
    memory_used: int
    memory_total: int
    #: of the last second or so, 0 to 1: in which some kernel ran
    busy: float


@dataclass(frozen=True, kw_only=True)
class WorkerUsage:
    """Of one worker: its parent, its children and what those started."""

    #: as Celery names it, `cpu@host`: the same after a restart
    worker: str
    host: str
    #: bytes; a page that several of its processes share counts once where the kernel tells (Linux)
    memory: int
    #: bytes that the largest child holds, and that a child may hold
    largest_child: int
    child_limit: int
    gpus: list[GpuUsage] = field(default_factory=list)
    #: of the package; empty where it is not installed
    version: str = ""
    #: seconds by which its machine's clock is ahead of Redis'
    clock_ahead: float = 0.0

    @classmethod
    def parse(cls, told: Mapping[str, Any]) -> Self:
        """Fields that this code does not know (a newer worker's) are left out."""
        gpus = [GpuUsage(**_known(GpuUsage, gpu)) for gpu in told.get("gpus", ())]
        return cls(**{**_known(cls, told), "gpus": gpus})


@dataclass(frozen=True, kw_only=True)
class Sweeps:
    """All that were counted."""

    number: int
    seconds: float
    #: what they found (`lost_jobs`, ...) -> how many
    found: dict[str, int]
    #: seconds since the last; None: none is known
    age: float | None


@dataclass(frozen=True, kw_only=True)
class Drains:
    """Of workers that were told to end."""

    #: whether all children ended by themselves -> how many workers
    number: dict[bool, int]
    seconds: float


def report_usage(client: "Redis[bytes]", usage: WorkerUsage) -> None:
    client.set(f"{_USAGE}{usage.worker}", orjson.dumps(asdict(usage)), ex=_USAGE_TTL_SECONDS)


def worker_usages(client: "Redis[bytes]") -> list[WorkerUsage]:
    """Of those that told it in the last minute. Raises redis errors."""
    keys = list(client.scan_iter(match=f"{_USAGE}*", count=1000))
    values: list[Any] = client.mget(keys) if keys else []
    found = [WorkerUsage.parse(orjson.loads(value)) for value in values if value]
    return sorted(found, key=lambda usage: usage.worker)


def clock_ahead(client: "Redis[bytes]") -> float:
    """Seconds by which this machine's clock is ahead of Redis'; half of the way there counts."""
    before = time.time()
    there = _now(client)
    return (before + time.time()) / 2 - there


def count_sweep(client: "Redis[bytes]", seconds: float, found: Mapping[str, int]) -> None:
    with client.pipeline(transaction=False) as pipe:
        pipe.hincrby(_SWEEPS, "number", 1)
        pipe.hincrbyfloat(_SWEEPS, "seconds", seconds)
        for what, number in found.items():
            pipe.hincrby(_SWEEPS, f"{_FOUND}{what}", number)
        # Redis' own clock, which is also read
        pipe.hset(_SWEEPS, "at", _now(client))
        pipe.execute()


def read_sweeps(client: "Redis[bytes]") -> Sweeps:
    told = _hash(client, _SWEEPS)
    return Sweeps(
        number=int(told.get("number", 0)),
        seconds=float(told.get("seconds", 0.0)),
        found={
            name.removeprefix(_FOUND): int(value)
            for name, value in told.items()
            if name.startswith(_FOUND)
        },
        age=max(0.0, _now(client) - float(told["at"])) if "at" in told else None,
    )


def count_drain(client: "Redis[bytes]", seconds: float, *, in_time: bool) -> None:
    with client.pipeline(transaction=False) as pipe:
        pipe.hincrby(_DRAINS, "in_time" if in_time else "cut_off", 1)
        pipe.hincrbyfloat(_DRAINS, "seconds", seconds)
        pipe.execute()


def read_drains(client: "Redis[bytes]") -> Drains:
    told = _hash(client, _DRAINS)
    return Drains(
        number={True: int(told.get("in_time", 0)), False: int(told.get("cut_off", 0))},
        seconds=float(told.get("seconds", 0.0)),
    )


def _now(client: "Redis[bytes]") -> float:
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


def _hash(client: "Redis[bytes]", name: str) -> dict[str, str]:
    told: Any = client.hgetall(name)
    return {field.decode(): value.decode() for field, value in told.items()}


def _known(kind: type[Any], told: Mapping[str, Any]) -> dict[str, Any]:
    names = {one.name for one in fields(kind)}
    return {name: value for name, value in told.items() if name in names}
