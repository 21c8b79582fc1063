"""Every process of the cluster and its exact command, in one table.

The embedded supervisor, docker-compose.yml (a test compares) and deploy/ all run these; they differ
in settings only, which come from the environment. Servers and secrets are not in here.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from workers.queues import CONTROL, CPU, GPU, PREDICT, PREDICT_NOW, consumed_with


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Where processes listen and how many children they have: all that differs in a command."""

    host: str = "127.0.0.1"
    gateway_port: int | str = 8000
    flower_port: int | str = 5555
    mlflow_port: int | str = 5000
    tensorboard_port: int | str = 6006
    #: children of the cpu and of the predict worker; children x threads stay within the cores
    cpu_children: int | str = 2
    predict_children: int | str = 2
    #: one per GPU
    gpu_children: int | str = 1


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """One long-running process."""

    name: str
    #: `python` stands for the interpreter that has the project installed
    command: tuple[str, ...]
    #: settings of this process alone
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    #: the queues that it consumes, for workers
    queues: tuple[str, ...] = ()
    #: how long it may take to end in peace, in seconds
    drain_seconds: float = 10.0


MIGRATE = ("python", "-m", "alembic", "upgrade", "head")

_CELERY = ("python", "-m", "celery", "-A", "workers.celery_app")
#: a running job is put back within seconds; longer than that and the process is killed, which the
#: sweeper mends too
_WORKER_DRAIN_SECONDS = 60.0


def processes(shape: Shape) -> tuple[ProcessSpec, ...]:
    """All processes but the servers, in the order in which they start; they stop in reverse."""
    return (_mlflow(shape), _flower(shape), *workers(shape), _beat(), _gateway(shape))


def kafka_bridge() -> ProcessSpec:
    """Beside the others where RETORT_KAFKA_BOOTSTRAP names a Kafka."""
    return ProcessSpec(name="kafka", command=("python", "-m", "workers.kafka"), drain_seconds=30.0)


def tensorboard(shape: Shape) -> ProcessSpec:
    """Beside the others where RETORT_TENSORBOARD asks for it."""
    where = ("--host", shape.host, "--port", str(shape.tensorboard_port))
    return ProcessSpec(name="tensorboard", command=("python", "-m", "workers.tensorboard", *where))


def workers(shape: Shape) -> tuple[ProcessSpec, ...]:
    """The Celery workers: one per queue."""
    return (
        # two: an MLflow that does not answer must not hold up the sweeper
        _worker("control", CONTROL, 2),
        _worker("cpu", CPU, shape.cpu_children),
        _worker("gpu", GPU, shape.gpu_children, {"RETORT_GPU_WORKER": "1"}),
        _worker("predict", PREDICT, shape.predict_children),
        _worker("interactive", PREDICT_NOW, 1),
    )


def children_for(cores: int, threads: int) -> int:
    """How many children of `threads` threads each fit on `cores`; at least one."""
    return max(1, cores // threads)


def thread_limits(threads: int) -> dict[str, str]:
    """Two OpenMP pools on the same two cores cost ninefold (design 9); spawned children read this
    before they import anything.
    """
    pools = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "NUMEXPR_NUM", "VECLIB_MAXIMUM")
    return {f"{pool}_THREADS": str(threads) for pool in pools}


def available_cores() -> int:
    """Cores that this process may use (a container's or taskset's share)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _worker(
    name: str, queue: str, children: int | str, environment: Mapping[str, str] | None = None
) -> ProcessSpec:
    queues = consumed_with(queue)
    options = ("-n", f"{name}@%h", "-Q", ",".join(queues), "-c", str(children))
    return ProcessSpec(
        name=name,
        command=(*_CELERY, "worker", *options, "--without-gossip", "--without-mingle"),
        environment=MappingProxyType(dict(environment or {})),
        queues=queues,
        drain_seconds=_WORKER_DRAIN_SECONDS,
    )


def _beat() -> ProcessSpec:
    scheduler = ("-S", "workers.schedule:SteadyScheduler")
    return ProcessSpec(name="beat", command=(*_CELERY, "beat", *scheduler))


def _gateway(shape: Shape) -> ProcessSpec:
    where = ("--host", shape.host, "--port", str(shape.gateway_port))
    # an open event stream must not hold up the end
    ending = ("--timeout-graceful-shutdown", "5")
    # longer than what clients and proxies (60 s mostly) keep idle connections for: who closes first
    # must not be the gateway, or the next request meets a closed one
    idle = ("--timeout-keep-alive", "75")
    return ProcessSpec(
        name="gateway",
        command=(
            "python",
            "-m",
            "uvicorn",
            "api.main:create_api",
            "--factory",
            *where,
            *ending,
            *idle,
        ),
    )


def _flower(shape: Shape) -> ProcessSpec:
    """Reads its user and password from FLOWER_BASIC_AUTH, without which it does not start, and is
    read-only unless FLOWER_READ_ONLY is `false` (workers/flower_guard.py).
    """
    where = (f"--address={shape.host}", f"--port={shape.flower_port}")
    return ProcessSpec(name="flower", command=(*_CELERY, "flower", *where))


def _mlflow(shape: Shape) -> ProcessSpec:
    """Reads MLFLOW_BACKEND_STORE_URI and MLFLOW_ARTIFACTS_DESTINATION from the environment."""
    where = ("--host", shape.host, "--port", str(shape.mlflow_port))
    quiet = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        # its own job runner, which we have no use for, would add two processes
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    return ProcessSpec(
        name="mlflow",
        command=("python", "-m", "mlflow", "server", *where, "--workers", "1"),
        environment=MappingProxyType(quiet),
    )
