"""A whole cluster whose processes a test kills: the product's commands, on private servers.

As `workers/embedded` runs them, but nothing is restarted unless the test says so.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
from redis import Redis

from app.access.keys import create_key
from app.core.settings import Settings
from app.db.database import Database
from app.jobs.workers import alive_workers
from app.storage.local import LocalStorage
from retort import Retort
from tests.support.servers import migrate
from tests.support.waiting import wait_for
from workers.child import Child
from workers.embedded.home import SOURCE
from workers.processes import ProcessSpec, Shape, processes, thread_limits
from workers.servers import PostgresServer, RedisServer, free_port

PLUGINS = Path(__file__).parent / "plugins"
#: short, so that a suite of faults takes minutes; `make faults` uses the product's own
FAST = {
    "RETORT_LEASE_SECONDS": "10",
    "RETORT_HEARTBEAT_SECONDS": "2",
    "RETORT_SWEEP_SECONDS": "1",
    "RETORT_CANCEL_GRACE_SECONDS": "3",
    "RETORT_DRAIN_SECONDS": "7",
}
#: in both: a hanging or greedy molecule is to be found within a test's patience
LIMITS = {
    "RETORT_CHUNK_SECONDS": "15",
    "RETORT_ROW_SECONDS": "0.05",
    "RETORT_MAX_CHILD_MEMORY_BYTES": str(1536 << 20),
    "RETORT_INTERACTIVE_TIMEOUT_SECONDS": "5",
    "RETORT_SERVING_PROCESSES": "1",
}
WORKERS = ("cpu", "gpu", "predict", "interactive")


class FaultCluster:
    """`pids[name]` are parents; every process is the leader of a session of its own."""

    def __init__(self, home: Path, settings: dict[str, str]) -> None:
        self.home = home
        (home / "logs").mkdir(parents=True, exist_ok=True)
        # durable: without synchronous commits a crash of Postgres loses what was accepted
        self.postgres = PostgresServer(home / "postgres")
        self.redis = RedisServer(home / "redis")
        self.cache = RedisServer(home / "cache", appendonly=False)
        self.mlflow_port = free_port()
        self.shape = Shape(gateway_port=free_port(), mlflow_port=self.mlflow_port, cpu_children=2)
        self.settings = settings
        self.children: dict[str, Child] = {}
        self.started: dict[str, float] = {}

    # ---- life

    def start(self) -> "FaultCluster":
        for server in (self.postgres, self.redis, self.cache):
            server.start()
        migrate(self.postgres.url)
        self.database = Database(self.postgres.url)
        with self.database.session() as session:
            self.key = create_key(session, name="faults").text
        self.storage_root = self.home / "blobs"
        self.storage_root.mkdir(exist_ok=True)
        self.storage = LocalStorage(self.storage_root)
        self.specs = {s.name: s for s in processes(self.shape)}
        for name in ("control", *WORKERS, "beat", "gateway"):
            self.launch(name)
        self.wait_ready()
        return self

    def stop(self) -> None:
        for child in self.children.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGCONT)
            child.kill()
        if hasattr(self, "database"):
            self.database.dispose()
        for server in (self.postgres, self.redis, self.cache):
            server.kill()

    @property
    def environment(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("RETORT_")}
        return {
            **clean,
            **thread_limits(1),
            "PYTHONUNBUFFERED": "1",
            "RETORT_DATABASE_URL": self.postgres.url,
            "RETORT_REDIS_URL": self.redis.url,
            "RETORT_CACHE_URL": self.cache.url,
            "RETORT_STORAGE_ROOT": str(self.storage_root),
            # nothing listens there until a test starts it
            "RETORT_MLFLOW_TRACKING_URI": f"http://127.0.0.1:{self.mlflow_port}",
            "RETORT_PLUGIN_PATHS": str(PLUGINS),
            **LIMITS,
            **self.settings,
        }

    def launch(self, name: str, *, spec: ProcessSpec | None = None) -> Child:
        """Start the process `name` of the product's table (or `spec` under that name)."""
        spec = spec or self.specs[name]
        command = [sys.executable if word == "python" else word for word in spec.command]
        self.started[name] = time.time()
        self.children[name] = Child(
            command,
            log=self.home / "logs" / f"{name}.log",
            cwd=SOURCE,
            env={**self.environment, **spec.environment},
        )
        return self.children[name]

    def launch_twin(self, name: str, twin: str) -> Child:
        """A second process like `name`, as another machine would run it."""
        spec = self.specs[name]
        words = tuple(f"{twin}@%h" if word == f"{name}@%h" else word for word in spec.command)
        twin_spec = ProcessSpec(
            name=twin, command=words, environment=spec.environment, queues=spec.queues
        )
        return self.launch(twin, spec=twin_spec)

    def ensure_running(self, *names: str) -> None:
        """Start again what has ended, as a supervisor does."""
        for name in names or tuple(self.children):
            code = self.children[name].exit_code()
            if code is not None:
                self.children[name].kill()
                self.launch(name)

    def wait_ready(self, *names: str, seconds: float = 90.0) -> None:
        wanted = set(names or [n for n in self.children if n not in ("beat", "mlflow")])

        def ready() -> bool:
            with Redis.from_url(self.cache.url) as client:
                told = {
                    worker.name.partition("@")[0]: worker.started_at
                    for worker in sorted(alive_workers(client), key=lambda w: w.started_at)
                }
            return all(
                self._gateway_answers()
                if name == "gateway"
                else told.get(name, 0.0) >= self.started[name]
                for name in wanted
            )

        wait_for(ready, f"{', '.join(sorted(wanted))} are ready", seconds)

    def _gateway_answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=3).status_code == 200
        except httpx.TransportError:
            return False

    # ---- what a test does to it

    def parent(self, name: str) -> int:
        return self.children[name].pid

    def forks(self, name: str) -> list[int]:
        """The pool's children: those that run tasks."""
        children = psutil.Process(self.parent(name)).children()
        return [child.pid for child in children if "_tracker" not in _words(child)]

    def signal_children(self, signum: int, *names: str) -> int:
        count = 0
        for name in names:
            for pid in self.forks(name):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signum)
                    count += 1
        return count

    def signal_parent(self, signum: int, *names: str) -> None:
        for name in names:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.parent(name), signum)

    def signal_family(self, signum: int, *names: str) -> None:
        """Parent and children at once, as when a machine stops."""
        for name in names:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.parent(name), signum)

    def wait_gone(self, *names: str, seconds: float = 60.0) -> None:
        for name in names:
            wait_for(
                lambda name=name: self.children[name].exit_code() is not None,
                f"{name} has ended",
                seconds,
            )

    def family(self, name: str) -> list[psutil.Process]:
        parent = psutil.Process(self.parent(name))
        return [parent, *parent.children(recursive=True)]

    def redis_flush(self) -> None:
        with Redis.from_url(self.redis.url) as client:
            client.flushall()

    def forget_redis(self) -> None:
        """What a broker without append-only file has after a crash: nothing."""
        for path in self.redis.folder.iterdir():
            if path.name.startswith("appendonly") or path.suffix == ".rdb":
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def relaunch(self, name: str, settings: dict[str, str]) -> None:
        """Stop `name` in peace and start it with other settings."""
        self.children[name].stop(30)
        spec = self.specs[name]
        changed = {**spec.environment, **settings}
        self.launch(name, spec=replace(spec, environment=changed))
        self.wait_ready(name)

    def launch_mlflow(self) -> None:
        folder = self.home / "mlflow"
        folder.mkdir(exist_ok=True)
        spec = self.specs["mlflow"]
        environment = {
            **spec.environment,
            "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db",
            "MLFLOW_ARTIFACTS_DESTINATION": str(folder),
        }
        self.launch("mlflow", spec=replace(spec, environment=environment))

    def process_settings(self) -> Settings:
        """As the processes have them, for a test that speaks to the broker itself."""
        return Settings(
            redis_url=self.redis.url, cache_url=self.cache.url, database_url=self.postgres.url
        )

    # ---- how a user sees it

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.shape.gateway_port}"

    @contextlib.contextmanager
    def client(self) -> Iterator[Retort]:
        with Retort(self.url, self.key) as client:
            yield client

    def log(self, name: str) -> str:
        return (self.home / "logs" / f"{name}.log").read_text(errors="replace")


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
