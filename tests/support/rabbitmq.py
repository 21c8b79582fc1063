"""A RabbitMQ node of the test's own: free ports, its own folder, cookie and epmd."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import pytest

from app.core.settings import Settings
from tests.support.fault_cluster import FaultCluster
from workers.broker import answers
from workers.servers import free_port
from workers.servers.base import Server

#: Debian's `rabbitmq-server` on the PATH changes the account and the folder; this is the program
_PROGRAMS = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),)


def rabbitmq_binary() -> Path:
    """Skips the test, with a sentence, where there is none."""
    found = shutil.which("rabbitmq-server")
    candidates = (*_PROGRAMS, *((Path(found),) if found else ()))
    for path in candidates:
        if path.exists():
            return path
    pytest.skip("there is no RabbitMQ: apt-get install rabbitmq-server")


class RabbitServer(Server):
    """Keeps what it was given: durable queues, persistent messages."""

    name: ClassVar[str] = "rabbitmq"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._node = f"retort{uuid4().hex[:8]}@localhost"
        self._epmd_port, self._dist_port = free_port(), free_port()
        self._epmd: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of it is shared with a node of the machine."""
        return {
            "HOME": str(self.folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2",
        }

    def prepare(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "rabbitmq-env.conf").touch()
        (self.folder / "rabbitmq.conf").write_text("loopback_users.guest = true\n")
        (self.folder / "enabled_plugins").write_text("[].\n")
        # else the first node would start one that outlives us
        if self._epmd is None:
            self._epmd = subprocess.Popen(
                [_epmd_binary()], env={**os.environ, **self.environment}, stdout=subprocess.DEVNULL
            )

    def command(self) -> list[str]:
        words = [f"{name}={value}" for name, value in self.environment.items()]
        return ["env", *words, str(rabbitmq_binary())]

    def is_ready(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(2)
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        return answers(self.url)

    def end(self) -> None:
        """The node, and its epmd."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()


def _epmd_binary() -> str:
    if found := shutil.which("epmd"):
        return found
    return str(next(Path("/usr/lib/erlang").glob("erts-*/bin/epmd")))


class RabbitCluster(FaultCluster):
    """The product with one setting more: RETORT_BROKER_URL."""

    def __init__(self, home: Path, settings: dict[str, str]) -> None:
        super().__init__(home, settings)
        self.rabbit = RabbitServer(home / "rabbitmq")

    def start(self) -> "RabbitCluster":
        self.rabbit.start(240)
        super().start()
        return self

    def stop(self) -> None:
        super().stop()
        self.rabbit.end()

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "RETORT_BROKER_URL": self.rabbit.url}

    def process_settings(self) -> Settings:
        return super().process_settings().model_copy(update={"broker_url": self.rabbit.url})
