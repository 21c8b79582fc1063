"""Jobs accepted per second: POST /api/v1/jobs against the plain way (ORM insert + apply_async).

Both are FastAPI behind one uvicorn process, on the same private Postgres and Redis, under the same
raw-socket clients; only what happens per request differs. Ours also checks the key, validates the
typed request, resolves the data set and writes the first event. Rounds alternate; the median
counts.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

from app.access.keys import create_key
from app.core.ids import new_id
from app.db.database import Database
from app.db.datasets import DatasetRow
from app.db.files import FileRow
from workers.servers import PostgresServer, RedisServer, free_port

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = 16
SECONDS = 6.0
ROUNDS = 3
LIMIT = 2.0


async def post_for(port: int, path: str, key: str, body: bytes, seconds: float) -> list[float]:
    """Latencies (s) of all answered requests of CLIENTS keep-alive connections."""
    request = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    end = time.perf_counter() + seconds
    latencies: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            started = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 202 " in head.split(b"\r\n", 1)[0], head
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(one() for _ in range(CLIENTS)))
    return latencies


def serve(factory: str, environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", factory, "--factory", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--no-access-log", "--log-level", "warning"],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    return process, port


async def wait_for(port: int) -> None:
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise TimeoutError("the server did not start")


def fill(url: str) -> tuple[str, str]:
    """A key, and a data set that is ready."""
    database = Database(url)
    with database.session() as session:
        key = create_key(session, name="bench").text
        file = FileRow(
            id=new_id(), name="f", media_type="text/csv", size=1, sha256="0" * 64, storage_key="f"
        )
        session.add(file)
        session.flush()
        session.add(DatasetRow(name="bench", number=1, file_id=file.id, manifest_key="m"))
    database.dispose()
    return key, "bench"


def measure(port: int, path: str, key: str, body: bytes) -> tuple[float, float]:
    """(requests per second, p99 in ms)."""
    latencies = asyncio.run(post_for(port, path, key, body, SECONDS))
    ordered = sorted(latencies)
    return len(ordered) / SECONDS, 1000 * ordered[int(0.99 * len(ordered))]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="retort-bench-") as name:
        home = Path(name)
        home.chmod(0o711)
        postgres, redis = PostgresServer(home / "postgres"), RedisServer(home / "redis")
        servers: list[subprocess.Popen[bytes]] = []
        try:
            postgres.start()
            url, redis_url = postgres.ensure_database("retort"), redis.start()
            environment = {
                "RETORT_DATABASE_URL": url,
                "RETORT_REDIS_URL": redis_url,
                "RETORT_STORAGE_ROOT": str(home / "blobs"),
                "RETORT_LOG_LEVEL": "ERROR",
                # nobody works on the jobs here: the waiting room would fill up
                "RETORT_MAX_WAITING_JOBS": "1000000",
            }
            subprocess.run(
                [sys.executable, "-m", "alembic", "upgrade", "head"],
                cwd=ROOT,
                env={**os.environ, **environment},
                check=True,
            )
            key, dataset = fill(url)
            body = orjson.dumps({"kind": "train", "params": {"dataset": dataset}})
            plain, plain_port = serve("benchmarks.plain_submit:create_plain", environment)
            servers.append(plain)
            ours, port = serve("api.main:create_api", environment)
            servers.append(ours)
            asyncio.run(wait_for(plain_port))
            asyncio.run(wait_for(port))
            measure(plain_port, "/jobs", key, body)  # warm both
            measure(port, "/api/v1/jobs", key, body)
            found = {"plain": [], "retort": []}
            for _ in range(ROUNDS):
                found["plain"].append(measure(plain_port, "/jobs", key, body))
                found["retort"].append(measure(port, "/api/v1/jobs", key, body))
        finally:
            for server in servers:
                server.kill()
                server.wait()
            redis.kill()
            postgres.kill()
    rates = {name: statistics.median(rate for rate, _ in runs) for name, runs in found.items()}
    tails = {name: statistics.median(tail for _, tail in runs) for name, runs in found.items()}
    ratio = rates["retort"] / rates["plain"]
    print(f"submit: {ratio:.2f} x the plain way (limit {LIMIT})")
    for name, rate in rates.items():
        print(f"  {name:7} {rate:7.0f} jobs/s   p99 {tails[name]:6.1f} ms   {CLIENTS} clients")
    return int(ratio < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
