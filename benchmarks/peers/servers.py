"""Starts the peers and the bare endpoints; says how each is asked and what it answers."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import psutil
from redis import Redis

from benchmarks import load
from benchmarks.peers import bare_redis, stored_model
from benchmarks.peers.environments import ROOT, python_of
from workers.processes import available_cores, thread_limits
from workers.servers import RedisServer, free_port

_READY_SECONDS = 300.0
_END_SECONDS = 15.0


@dataclass(frozen=True, kw_only=True)
class Server:
    """One that is asked for the prediction of one molecule."""

    name: str
    port: int
    path: str
    #: the JSON that asks for a SMILES
    body: Callable[[str], Any]
    #: the answer for that molecule, in the answer's JSON
    item: Callable[[Any], dict[str, Any]]
    key: str = ""
    #: the first of its processes, when it may be put to sleep while others are measured
    process: psutil.Process | None = None

    def request(self, smiles: str) -> bytes:
        return load.request(self.path, orjson.dumps(self.body(smiles)), self.key)

    def items(self, smiles: list[str]) -> list[dict[str, Any]]:
        """Asked one after the other."""
        answers = load.bodies(self.port, [self.request(text) for text in smiles])
        return [self.item(orjson.loads(answer)) for answer in answers]

    def sleep(self) -> None:
        """Stop its processes: LitServe's workers poll, and would take from who is measured."""
        for each in self._family():
            each.suspend()

    def wake(self) -> None:
        for each in reversed(self._family()):
            each.resume()

    def _family(self) -> list[psutil.Process]:
        """Parents before their children."""
        if self.process is None:
            return []
        return [self.process, *self.process.children(recursive=True)]


def litserve(port: int, name: str) -> tuple[Server, list[str]]:
    server = Server(
        name=name,
        port=port,
        path="/predict",
        body=lambda smiles: {"smiles": smiles},
        item=lambda answer: answer,
    )
    return server, ["-m", "benchmarks.peers.serve_litserve"]


def bentoml(port: int, name: str) -> tuple[Server, list[str]]:
    server = Server(
        name=name,
        port=port,
        path="/predict",
        body=lambda smiles: {"smiles": [smiles]},
        item=lambda answer: answer[0],
    )
    where = ["--host", "127.0.0.1", "--port", str(port)]
    return server, ["-m", "bentoml", "serve", "benchmarks.peers.serve_bentoml:Predictor", *where]


#: by the name of their environment
PEERS = {"litserve": litserve, "bentoml": bentoml}


@contextmanager
def peer(name: str, flavour: str, blobs: Path, manifest_key: str, log: Path) -> Iterator[Server]:
    """The peer `name` serving that stored model; it has ended when this has."""
    port = free_port()
    server, command = PEERS[name](port, f"{name} {flavour}")
    environment = {
        **_serving(flavour, blobs, manifest_key, port),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(log.parent / "bentoml"),
    }
    with _running([str(python_of(name)), *command], environment, log) as process:
        wait_until_it_answers(server, log)
        yield replace(server, process=psutil.Process(process.pid))


@contextmanager
def celery_batching(pool: str, blobs: Path, manifest_key: str, folder: Path) -> Iterator[Server]:
    """Celery with batching, whose worker has that pool, on a Redis of its own."""
    log, port = folder / f"celery-{pool}.log", free_port()
    redis = RedisServer(folder / f"celery-{pool}", appendonly=False)
    server, _ = litserve(port, f"celery {pool}")  # asked and answering alike
    try:
        environment = {
            **_serving("bundle", blobs, manifest_key, port),
            "PEER_BROKER": redis.start(),
            "PEER_POOL": pool,
        }
        command = [str(python_of("celery_batching")), "-m", "benchmarks.peers.serve_celery"]
        with _running(command, environment, log) as process:
            wait_until_it_answers(server, log)
            yield replace(server, process=psutil.Process(process.pid))
    finally:
        redis.kill()


def _serving(flavour: str, blobs: Path, manifest_key: str, port: int) -> dict[str, str]:
    """The environment of a program that serves that stored model (stored_model.py)."""
    return {
        **os.environ,
        **thread_limits(1),
        stored_model.FLAVOUR: flavour,
        stored_model.BLOBS: str(blobs),
        stored_model.MANIFEST: manifest_key,
        stored_model.PORT: str(port),
        stored_model.CORES: str(available_cores()),
        "PYTHONPATH": str(ROOT),
    }


@contextmanager
def bare_endpoints(folder: Path, content: bytes) -> Iterator[dict[str, Server]]:
    """One uvicorn process that reads one key, whose value is `content`; by the way of reading."""
    redis, port = RedisServer(folder / "bare", appendonly=False), free_port()
    url = redis.start()
    try:
        with Redis.from_url(url) as client:
            client.set(bare_redis.KEY, content)
        servers = {
            way: Server(
                name=f"bare Redis {way}",
                port=port,
                path=f"/{way}",
                body=lambda smiles: {"smiles": smiles},
                item=lambda answer: answer,
            )
            for way in ("async", "threaded")
        }
        factory = ["benchmarks.peers.bare_redis:create_bare", "--factory", "--port", str(port)]
        quiet = ["--no-access-log", "--log-level", "warning"]
        command = [sys.executable, "-m", "uvicorn", *factory, *quiet]
        log = folder / "bare.log"
        with _running(command, {**os.environ, bare_redis.URL: url}, log):
            wait_until_it_answers(servers["async"], log)
            yield servers
    finally:
        redis.kill()


@contextmanager
def _running(
    command: list[str], environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The command and what it starts, in a session of their own, until this ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """All that it has started, asked first; asleep or not."""
    family = []
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [
            psutil.Process(process.pid),
            *psutil.Process(process.pid).children(recursive=True),
        ]
    for each in reversed(family):
        with contextlib.suppress(psutil.NoSuchProcess):
            each.resume()
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_SECONDS)
    for each in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()


def wait_until_it_answers(server: Server, log: Path | None = None) -> None:
    """Until it has answered: a port that is bound is no model that is loaded. Raises TimeoutError
    with the end of `log`.
    """
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError, AssertionError):
            server.items(["CCO"])
            return
        time.sleep(0.2)
    said = log.read_text()[-2000:] if log else ""
    raise TimeoutError(f"{server.name} did not start: {said}")
