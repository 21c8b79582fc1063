"""What is fuzzed: the gateway's and the interactive worker's own commands on private servers, with
something of every kind in them, so that requests find what they ask for.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.access.keys import create_key
from app.core.settings import Settings
from app.resources import Resources
from tests.support.datasets import ingested, job_context, stored_file
from tests.support.servers import migrate
from workers.child import Child
from workers.processes import ProcessSpec, Shape, processes
from workers.servers import PostgresServer, RedisServer, free_port

MOLECULES = [f"{'C' * n}{end}" for n in range(1, 16) for end in ("O", "N", "Cl", "C(=O)O")]
#: jobs are accepted and stay queued: what runs them is proved elsewhere
PROCESSES = ("interactive", "gateway")


@dataclass(frozen=True, kw_only=True)
class Fuzzed:
    url: str
    key: str
    #: for each parameter's name, values that mean something
    known: dict[str, list[str | int]]
    log: Path

    def tracebacks(self) -> int:
        return self.log.read_text(errors="replace").count("Traceback (most recent call last)")


@contextmanager
def fuzzed_gateway(home: Path) -> Iterator[Fuzzed]:
    postgres = PostgresServer(home / "postgres", durable=False)
    redis = RedisServer(home / "redis")
    children: list[Child] = []
    try:
        postgres.start()
        redis.start()
        migrate(postgres.url)
        environment = _environment(home, postgres, redis)
        resources = Resources(_settings(environment))
        shape = Shape(gateway_port=free_port())
        specs = {spec.name: spec for spec in processes(shape)}
        children += [_start(specs[name], home, environment) for name in PROCESSES]
        url = f"http://127.0.0.1:{shape.gateway_port}"
        with resources.database.session() as session:
            key = create_key(session, name="fuzz").text
        known = _scene(resources)
        _wait_ready(url)
        known |= _over_http(url, key)
        yield Fuzzed(url=url, key=key, known=known, log=home / "gateway.log")
        resources.database.dispose()
    finally:
        for child in children:
            child.kill()
        redis.kill()
        postgres.kill()


def _environment(home: Path, postgres: PostgresServer, redis: RedisServer) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RETORT_")}
    return clean | {
        "RETORT_DATABASE_URL": postgres.url,
        "RETORT_REDIS_URL": redis.url,
        "RETORT_STORAGE_ROOT": str(home / "blobs"),
        "RETORT_WEBHOOK_KEYS": "k" * 32,
        # nothing that is fuzzed needs more, and a fuzzer is not to wait for long
        "RETORT_MAX_WAITING_JOBS": "100000",
        "RETORT_MAX_OPEN_UPLOADS": "10000",
        "RETORT_SERVING_PROCESSES": "1",
        "RETORT_INTERACTIVE_TIMEOUT_SECONDS": "60",
    }


def _settings(environment: dict[str, str]) -> Settings:
    return Settings(
        database_url=environment["RETORT_DATABASE_URL"],
        redis_url=environment["RETORT_REDIS_URL"],
        storage_root=Path(environment["RETORT_STORAGE_ROOT"]),
    )


def _start(spec: ProcessSpec, home: Path, environment: dict[str, str]) -> Child:
    command = [sys.executable, *spec.command[1:]]
    settings = environment | dict(spec.environment)
    root = Path(__file__).resolve().parents[2]
    return Child(
        command,
        log=home / f"{spec.name}.log",
        cwd=root,
        env=settings,
        stop_signal=signal.SIGTERM,
    )


def _scene(resources: Resources) -> dict[str, list[str | int]]:
    """A data set, a model of it and their jobs, made by the services themselves."""
    from app.training import service as training
    from app.training.params import TrainParams

    rows = "".join(f"{s},{len(s) + 0.25 * s.count('O')}\n" for s in MOLECULES)
    dataset, _ = ingested(resources, "smiles,y\n" + rows, name="mols")
    ingested(resources, "smiles,y\n" + rows + "CCCCCCBr,9\n", name="mols")
    file = stored_file(resources, "smiles,y\n" + rows)
    context = job_context(resources, "train")
    said = TrainParams(
        dataset="mols",
        dataset_id=dataset,
        name="mols",
        bootstrap=0,
        features=({"name": "physchem"},),  # type: ignore[arg-type] # as JSON says it
        algorithm={"name": "ridge"},  # type: ignore[arg-type]
    )
    outcome = training.run(resources, context, said)
    with resources.database.session() as session:
        result: dict[str, Any] = outcome.result | outcome.commit(session)
    return {
        "file_id": [str(file)],
        "ref": ["mols", "mols:1", "mols:2", "mols@champion", str(dataset), result["model_id"]],
        "path": ["metrics.json", "report.html", "manifest.json"],
        "job_id": [str(context.job_id)],
        "alias": ["champion"],
        "kind": ["algorithms", "featurizers", "splitters", "metrics"],
        "code": ["not_found", "invalid_request"],
        "number": [1, 2],
    }


def _wait_ready(url: str, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/health/ready", timeout=5).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError(f"no gateway at {url}")


def _patiently(client: httpx.Client, method: str, path: str, body: object) -> None:
    """Until the interactive worker is up."""
    for _ in range(10):
        answer = client.request(method, path, json=body)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
    if not answer.is_success:
        raise RuntimeError(f"{method} {path}: {answer.text}")


def _over_http(url: str, key: str) -> dict[str, list[str | int]]:
    """What is made by asking: uploads, an endpoint, an alias, jobs that wait."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=f"{url}/api/v1/", headers=headers, timeout=90) as client:
        upload = client.post("files/uploads", json={"name": "x.csv", "size": 2000}).json()["id"]
        job = {"kind": "predict", "params": {"model": "mols:1", "dataset": "mols"}}
        waiting = client.post("jobs", json=job).json()["id"]
        _patiently(client, "PUT", "registry/mols/aliases/champion", {"version": 1})
        routes = [{"model": "mols:1"}]
        _patiently(client, "POST", "endpoints", {"name": "live", "routes": routes})
        _patiently(client, "POST", "predictions", {"model": "mols:1", "inputs": ["CCO"]})
    return {"upload_id": [upload], "name": ["mols", "live", "ridge"], "workflow_id": [waiting]}
