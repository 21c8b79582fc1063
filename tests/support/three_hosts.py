"""A cluster on three hosts: gateway and stores, a cpu worker, a gpu worker.

The product's commands with the same settings everywhere. Nothing but the network joins them: blobs
go through S3, and every host has a folder for temporary files of its own.
"""

import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from app.access.keys import create_key
from app.core.settings import Settings
from app.db.database import Database
from app.storage.s3 import S3Storage
from tests.support.fault_cluster import FaultCluster
from tests.support.hosts import Host, hosts
from tests.support.s3 import KEYS, new_bucket
from tests.support.servers import migrate
from tests.support.waiting import wait_for
from workers.child import Child
from workers.processes import ProcessSpec, Shape, processes
from workers.servers import PostgresServer, RedisServer, free_port


class _HostPostgres(PostgresServer):
    """Reached by other hosts, with its password."""

    address: ClassVar[str] = ""

    def url_of(self, database: str) -> str:
        return super().url_of(database).replace("127.0.0.1", self.address)

    def command(self) -> list[str]:
        rules = self.data / "pg_hba.conf"
        rule = f"host all all {self.address}/24 scram-sha-256\n"
        if rule not in (text := rules.read_text()):
            rules.write_text(text + rule)
        return [
            word.replace("listen_addresses=127.0.0.1", f"listen_addresses={self.address}")
            for word in super().command()
        ]


class _HostRedis(RedisServer):
    address: ClassVar[str] = ""

    @property
    def url(self) -> str:
        return super().url.replace("127.0.0.1", self.address)

    def prepare(self) -> None:
        super().prepare()
        file = self.folder / "redis.conf"
        file.write_text(file.read_text().replace("127.0.0.1", self.address))


class ThreeHosts(FaultCluster):
    """Use on host `a` (its thread is there). Process names say where they run: `cpu-b`."""

    def __init__(self, home: Path, settings: dict[str, str], found: list[Host]) -> None:
        super().__init__(home, settings)
        self.a, self.b, self.c = found
        postgres = type("Postgres", (_HostPostgres,), {"address": self.a.address})
        redis = type("Redis", (_HostRedis,), {"address": self.a.address})
        self.postgres = postgres(home / "postgres")
        self.redis = redis(home / "redis")
        self.cache = redis(home / "cache", appendonly=False)
        self.shape = Shape(
            host=self.a.address, gateway_port=free_port(), cpu_children=1, predict_children=1
        )
        self.s3_port = free_port()

    def start(self) -> "ThreeHosts":
        for server in (self.postgres, self.redis, self.cache):
            server.start()
        self._start_s3()
        migrate(self.postgres.url)
        self.database = Database(self.postgres.url)
        with self.database.session() as session:
            self.key = create_key(session, name="hosts").text
        self.specs = {spec.name: spec for spec in processes(self.shape)}
        for name in ("gateway", "beat", "control"):
            self.launch(name)
        self.worker("cpu", self.b, "cpu", "predict")
        self.worker("gpu", self.c, "gpu")
        self.worker("predict", self.c, "predict")
        self.wait_ready()
        return self

    def _start_s3(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-p", str(self.s3_port)]
        self.s3 = Child(
            [*command, "-H", self.a.address], log=self.home / "logs" / "s3.log", cwd=self.home
        )
        url = f"http://{self.a.address}:{self.s3_port}"

        def answers() -> bool:
            try:
                return bool(urllib.request.urlopen(url, timeout=1))
            except OSError:
                return False

        wait_for(answers, "the S3 server answers")
        self.bucket = new_bucket(url, "retort")
        self.storage = S3Storage(Settings(**self.bucket), cache_folder=self.home / "test-cache")

    def stop(self) -> None:
        super().stop()
        if hasattr(self, "s3"):
            self.s3.kill()

    @property
    def url(self) -> str:
        return f"http://{self.a.address}:{self.shape.gateway_port}"

    @property
    def environment(self) -> dict[str, str]:
        self.storage_root = self.home / "not-used"
        s3 = {f"RETORT_{name.upper()}": value for name, value in (self.bucket | KEYS).items()}
        return {
            **super().environment,
            **s3,
            "RETORT_MLFLOW_TRACKING_URI": "",
            "RETORT_DEVICE": "cpu",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def worker(self, name: str, host: Host, *queues: str) -> str:
        """The product's worker `name` on `host`, which may serve more queues; its name here."""
        spec = self.specs[name]
        served = tuple(q for queue in queues for q in self.specs[queue].queues)
        letter = "abc"[[self.a, self.b, self.c].index(host)]
        here = f"{name}-{letter}"
        changed = {f"{name}@%h": f"{here}@host-{letter}", ",".join(spec.queues): ",".join(served)}
        command = tuple(changed.get(word, word) for word in spec.command)
        with host.inside():
            self.launch(here, spec=replace(spec, name=here, command=command, queues=served))
        return here

    def launch(self, name: str, *, spec: ProcessSpec | None = None) -> Child:
        spec = spec or self.specs[name]
        letter = name.rpartition("-")[2] if "-" in name else "a"
        folder = self.home / f"tmp-{letter}"
        folder.mkdir(exist_ok=True)
        own = {**spec.environment, "TMPDIR": str(folder)}
        return super().launch(name, spec=replace(spec, environment=own))


@contextmanager
def three_hosts(home: Path, settings: dict[str, str]) -> Iterator[ThreeHosts]:
    """Started, with this thread on host `a`; everything is gone afterwards."""
    with hosts(3) as found, found[0].inside():
        cluster = ThreeHosts(home, settings, found)
        try:
            yield cluster.start()
        finally:
            cluster.stop()
