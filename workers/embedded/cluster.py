"""What one embedded cluster consists of: servers, processes, and the settings they share."""

import os
import shlex
import sys
from collections.abc import Mapping
from functools import cached_property

from app.core.settings import Settings, get_settings
from workers.child import Child
from workers.embedded.home import SOURCE, Home
from workers.embedded.supervised import Supervised
from workers.processes import (
    ProcessSpec,
    Shape,
    available_cores,
    children_for,
    kafka_bridge,
    processes,
    tensorboard,
    thread_limits,
)
from workers.servers import PostgresServer, RedisServer, Server

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


class Cluster:
    """Built from the settings of the environment; a server that those name is not started."""

    def __init__(self, home: Home, settings: Settings | None = None) -> None:
        self.home = home
        self.settings = settings or get_settings()

    # ---- servers ------------------------------------------------------------------------

    def _is_set(self, name: str) -> bool:
        """Whether the environment says it, under any of its names."""
        return name in self.settings.model_fields_set

    @cached_property
    def postgres(self) -> PostgresServer | None:
        if self._is_set("database_url"):
            return None
        home = self.home
        return PostgresServer(
            home.root / "postgres", port=home.port("postgres"), log=home.log("postgres")
        )

    @cached_property
    def redis(self) -> RedisServer | None:
        if self._is_set("redis_url"):
            return None
        home = self.home
        return RedisServer(home.root / "redis", port=home.port("redis"), log=home.log("redis"))

    @cached_property
    def cache(self) -> RedisServer | None:
        if self._is_set("cache_url"):
            return None
        home = self.home
        return RedisServer(
            home.root / "cache", appendonly=False, port=home.port("cache"), log=home.log("cache")
        )

    def servers(self) -> dict[str, Server]:
        """Those that we run, by name, in the order in which they start."""
        found = {"postgres": self.postgres, "redis": self.redis, "cache": self.cache}
        return {name: server for name, server in found.items() if server is not None}

    # ---- settings -----------------------------------------------------------------------

    @cached_property
    def shape(self) -> Shape:
        children = children_for(available_cores(), self.settings.worker_threads)
        port = self.settings.port if self._is_set("port") else self.home.port("gateway")
        return Shape(
            host=self.settings.host,
            gateway_port=port,
            flower_port=self.home.port("flower"),
            mlflow_port=self.home.port("mlflow"),
            tensorboard_port=self.home.port("tensorboard"),
            cpu_children=children,
            predict_children=children,
        )

    @cached_property
    def environment(self) -> dict[str, str]:
        """What every process is given. Valid once the servers have started."""
        settings = self.settings
        ours = {
            "RETORT_HOME": str(self.home.root),
            "RETORT_DATABASE_URL": self.postgres.url if self.postgres else settings.database_url,
            "RETORT_REDIS_URL": self.redis.url if self.redis else settings.redis_url,
            "RETORT_CACHE_URL": self.cache.url if self.cache else settings.cache_url,
            "RETORT_MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri or self.address("mlflow"),
            "RETORT_MLFLOW_URL": self.mlflow_url,
            "RETORT_TENSORBOARD_URL": self.tensorboard_url,
            "RETORT_WEBHOOK_KEYS": settings.webhook_keys or self.home.secret("webhooks"),
            "RETORT_FLOWER_URL": settings.flower_url or self.address("flower"),
        }
        if not self._is_set("storage_root"):
            ours["RETORT_STORAGE_ROOT"] = str(self.home.folder("blobs"))
        if not self._is_set("import_roots"):
            ours["RETORT_IMPORT_ROOTS"] = (
                f"{self.home.folder('imports')}:{SOURCE / 'examples/data'}"
            )
        if settings.log_format == "json":
            ours["CELERY_QUIET"] = "1"  # no banner among the lines
        limits = thread_limits(settings.worker_threads)
        return {**os.environ, "PYTHONUNBUFFERED": "1", **limits, **ours}

    def _secrets_of(self, name: str) -> dict[str, str]:
        """Settings that one process alone may know."""
        if name == "flower":
            given = os.environ.get("FLOWER_BASIC_AUTH")
            return {"FLOWER_BASIC_AUTH": given or f"retort:{self.home.secret('flower')}"}
        if name == "cpu":  # it exports models
            return {"RETORT_SIGNING_KEY": self.settings.signing_key or self.home.key("signing")}
        if name != "mlflow":
            return {}
        artifacts = str(self.home.folder("mlflow"))
        store = os.environ.get("MLFLOW_BACKEND_STORE_URI") or self._mlflow_database()
        return {"MLFLOW_BACKEND_STORE_URI": store, "MLFLOW_ARTIFACTS_DESTINATION": artifacts}

    def _mlflow_database(self) -> str:
        """A database of its own in our server; a file beside a server that is not ours."""
        if self.postgres is None:
            return f"sqlite:///{self.home.folder('mlflow')}/mlflow.db"
        url = self.postgres.ensure_database("mlflow")
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    # ---- processes ----------------------------------------------------------------------

    def specs(self) -> tuple[ProcessSpec, ...]:
        """Without an MLflow of ours where the settings name another; with a bridge where they name
        a Kafka, and TensorBoard where they ask for it.
        """
        given = {"mlflow"} if self.settings.mlflow_tracking_uri else set()
        ours = tuple(spec for spec in processes(self.shape) if spec.name not in given)
        bridge = (kafka_bridge(),) if self.settings.kafka_bootstrap else ()
        board = (tensorboard(self.shape),) if self.settings.tensorboard else ()
        return (*ours, *bridge, *board)

    def supervised(self, spec: ProcessSpec) -> Supervised:
        environment = {**self.environment, **spec.environment, **self._secrets_of(spec.name)}
        return Supervised(
            spec.name,
            lambda: self.launch(spec.name, spec.command, environment),
            log=self.home.log(spec.name),
            drain_seconds=spec.drain_seconds,
        )

    def launch(
        self, name: str, command: tuple[str, ...], environment: Mapping[str, str] | None = None
    ) -> Child:
        """Start a command of the table, with this interpreter, from the clone."""
        program = (sys.executable, *command[1:]) if command[0] == "python" else command
        log = self.home.log(name)
        with log.open("a") as file:
            file.write(f"$ {shlex.join(command)}\n")
        return Child(program, log=log, cwd=SOURCE, env=environment or self.environment)

    # ---- where it is --------------------------------------------------------------------

    def address(self, name: str) -> str:
        """The URL at which this machine's users find `gateway`, `flower`, `mlflow`, ..."""
        port = getattr(self.shape, f"{name}_port")
        host = "127.0.0.1" if self.shape.host in _EVERYWHERE else self.shape.host
        return f"http://{host}:{port}"

    @property
    def mlflow_url(self) -> str:
        settings = self.settings
        return settings.mlflow_url or settings.mlflow_tracking_uri or self.address("mlflow")

    @property
    def tensorboard_url(self) -> str:
        """Empty: there is none."""
        ours = self.address("tensorboard") if self.settings.tensorboard else ""
        return self.settings.tensorboard_url or ours

    @property
    def _flower_login(self) -> str:
        if os.environ.get("FLOWER_BASIC_AUTH"):
            return "user and password of FLOWER_BASIC_AUTH"
        return f"user retort, password {self.home.secret('flower')}"

    def addresses(self) -> dict[str, str]:
        """For people: label -> where."""
        return {
            "API": f"{self.address('gateway')}/api/v1",
            "API docs": f"{self.address('gateway')}/docs",
            "Flower": f"{self.address('flower')}   ({self._flower_login})",
            "MLflow": self.mlflow_url,
            **({"TensorBoard": self.tensorboard_url} if self.tensorboard_url else {}),
            "Client config": str(self.home.client_config),
        }
