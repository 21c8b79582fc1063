"""Two gateways under the same load in turns: ours, and the plain way of writing the same.

Each is one uvicorn process, on one private durable Postgres and one Redis, under the same raw
socket clients. Rounds alternate, so that what else the machine does falls on both; medians count.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.access.keys import create_key
from app.core.ids import new_id
from app.db.database import Database
from app.db.datasets import DatasetRow
from app.db.files import FileRow
from benchmarks.records import Result
from workers.servers import PostgresServer, RedisServer, free_port

ROOT = Path(__file__).resolve().parents[1]
CLIENTS = 16
SECONDS = 5.0
ROUNDS = 5
_START_SECONDS = 90
_FACTORIES = {"plain": "benchmarks.plain_submit:create_plain", "retort": "api.main:create_api"}


@dataclass(frozen=True, kw_only=True)
class Measured:
    rates: Mapping[str, float]
    #: 99th percentile, ms
    tails: Mapping[str, float]
    #: CPU time of the gateway's process per request, ms: says more than the clock where other
    #: programs take their turns too
    cpu_ms: Mapping[str, float]

    @property
    def ratio(self) -> float:
        return self.rates["retort"] / self.rates["plain"]


@dataclass(frozen=True, kw_only=True)
class Gateways:
    """`ports` and `pids` by name: plain, retort."""

    ports: Mapping[str, int]
    pids: Mapping[str, int]
    key: str
    dataset: str

    def compare(self, request: Callable[[str], bytes], *, status: int) -> Measured:
        """`request`: the bytes to send to the gateway of this name; `status`: what must come."""
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in self.ports}
        for number in range(ROUNDS + 1):
            for name, port in self.ports.items():
                before = _cpu_seconds(self.pids[name])
                rate, tail, count = _measure(port, request(name), status)
                cpu_ms = 1000 * (_cpu_seconds(self.pids[name]) - before) / count
                if number:  # the first warms
                    found[name].append((rate, tail, cpu_ms))
        medians = {
            name: [statistics.median(column) for column in zip(*rounds, strict=True)]
            for name, rounds in found.items()
        }
        return Measured(
            rates={name: rate for name, (rate, _, _) in medians.items()},
            tails={name: tail for name, (_, tail, _) in medians.items()},
            cpu_ms={name: cpu for name, (_, _, cpu) in medians.items()},
        )


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def report(
    name: str, what: str, plain: str, measured: Measured, *, limit: float, tail_limit_ms: float
) -> list[Result]:
    """Prints. `what` was asked for; `plain`: the way beside ours."""
    print(f"{name}: {measured.ratio:.2f} x the plain way (limit {limit})")
    for side, rate in measured.rates.items():
        print(
            f"  {side:7} {rate:7.0f} requests/s   p99 {measured.tails[side]:6.1f} ms"
            f"   CPU {measured.cpu_ms[side]:5.2f} ms each   {CLIENTS} clients"
        )
    print(f"  (limit of Retort's p99: {tail_limit_ms:g} ms)")
    sides = {
        side: f"{rate:,.0f}/s, p99 {measured.tails[side]:.0f} ms, "
        f"{measured.cpu_ms[side]:.2f} ms of CPU each"
        for side, rate in measured.rates.items()
    }
    tail = measured.tails["retort"]
    return [
        Result(
            name=f"{name}.rate",
            what=f"{what}, {CLIENTS} clients",
            ours=sides["retort"],
            beside=f"{plain}: {sides['plain']}",
            ratio=measured.ratio,
            limit=limit,
            at_least=True,
        ),
        Result(
            name=f"{name}.p99",
            what="the same, p99",
            ours=f"{tail:.0f} ms",
            beside=f"the limit of {tail_limit_ms:g} ms",
            ratio=tail / tail_limit_ms,
            limit=1.0,
        ),
    ]


def http_request(method: str, path: str, key: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


def _measure(port: int, request: bytes, status: int) -> tuple[float, float, int]:
    """(requests per second, p99 in ms, how many)."""
    latencies, seconds = asyncio.run(_load(port, request, status))
    ordered = sorted(latencies)
    return len(ordered) / seconds, 1000 * ordered[int(0.99 * len(ordered))], len(ordered)


async def _load(port: int, request: bytes, status: int) -> tuple[list[float], float]:
    """Latencies (s) of all answered requests of CLIENTS connections, and how long all took."""
    begun = time.perf_counter()
    end = begun + SECONDS
    latencies: list[float] = []

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            started = time.perf_counter()
            writer.write(request)
            await answer(reader, status)
            latencies.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(one() for _ in range(CLIENTS)))
    return latencies, time.perf_counter() - begun


async def answer(reader: asyncio.StreamReader, status: int) -> bytes:
    """The body. Raises RuntimeError for another status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    if int(head.split(b" ", 2)[1]) != status:
        raise RuntimeError(f"not {status}: {head!r} {body!r}")
    return body


@contextmanager
def gateways() -> Iterator[Gateways]:
    """Both, started and answering, with a key and a data set that is ready."""
    with tempfile.TemporaryDirectory(prefix="retort-bench-") as name:
        home = Path(name)
        home.chmod(0o711)
        postgres, redis = PostgresServer(home / "postgres"), RedisServer(home / "redis")
        running: list[subprocess.Popen[bytes]] = []
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
            migrate = [sys.executable, "-m", "alembic", "upgrade", "head"]
            subprocess.run(migrate, cwd=ROOT, env={**os.environ, **environment}, check=True)
            key, dataset = _fill(url)
            ports, pids = {}, {}
            for side, factory in _FACTORIES.items():
                server, ports[side] = serve(factory, environment)
                running.append(server)
                pids[side] = server.pid
                asyncio.run(_until_it_listens(ports[side]))
            yield Gateways(ports=ports, pids=pids, key=key, dataset=dataset)
        finally:
            for server in running:
                server.kill()
                server.wait()
            redis.kill()
            postgres.kill()


def serve(factory: str, environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """One uvicorn process, and its port."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", factory, "--factory", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--no-access-log", "--log-level", "warning"],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    return process, port


async def _until_it_listens(port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise TimeoutError("the server did not start")


def _fill(url: str) -> tuple[str, str]:
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
