"""Gateway and worker as processes of their own, with logs (and traces) to look at."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.access.keys import create_key
from tests.support.cluster import WorkerProcess
from tests.support.waiting import wait_for
from workers.servers import free_port

ROOT = Path(__file__).resolve().parents[2]


class Gateway:
    """`uvicorn` with the gateway that knows the probe kinds."""

    def __init__(self, environment: dict[str, str], log: Path, key: str) -> None:
        self.log = log
        self.key = key
        self.port = free_port()
        command = ("-m", "uvicorn", "tests.support.observed:create_probe_api", "--factory")
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, *command, "--port", str(self.port)],
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=stream,
                stderr=stream,
            )
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}",
            headers={"Authorization": f"Bearer {key}"},
            timeout=30,
        )
        wait_for(self._answers, "the gateway answers", seconds=60)

    def _answers(self) -> bool:
        try:
            return self.http.get("/health/live").status_code == 200
        except httpx.TransportError:
            return False

    def finished(self, job_id: str) -> dict:
        """The job, once it has ended."""

        def look():
            job = self.http.get(f"/api/v1/jobs/{job_id}").json()
            return job if job["state"] in ("succeeded", "failed", "cancelled") else None

        return wait_for(look, f"job {job_id} ends")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        self.http.close()


def create_probe_api():
    """For uvicorn: with a route that posts a probe, which the API's own model does not know."""
    from fastapi import Request

    import tests.support.probe_app  # noqa: F401 - adds the kinds
    from api.dependencies import Caller, WithDesk
    from api.main import create_api
    from app.kinds import Submission

    api = create_api()

    @api.post("/probe/{kind}", status_code=202)
    async def probe(kind: str, request: Request, caller: Caller, desk: WithDesk):
        params = await request.json()
        asked = Submission(kind=kind, params=params, correlation_id=params.pop("correlated", None))
        return {"id": str((await desk.submit(caller, asked, None)).job.id)}

    return api


@contextmanager
def observed(resources, environment, folder) -> Iterator[tuple[Gateway, WorkerProcess]]:
    with resources.database.session() as session:
        key = create_key(session, name="observer").text
    worker = WorkerProcess(environment, folder / "worker.log", concurrency=1)
    gateway = None
    try:
        gateway = Gateway(environment, folder / "gateway.log", key)
        wait_for(lambda: " ready." in worker.log.read_text(), "the worker is ready")
        yield gateway, worker
    finally:
        if gateway:
            gateway.close()
        worker.kill()


def lines(log: Path) -> list[dict]:
    """Every line parsed: what is not JSON fails the test."""
    return [json.loads(line) for line in log.read_text().splitlines() if line]
