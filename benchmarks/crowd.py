"""A crowd on one embedded cluster: 200 clients that poll, 50 that submit, for ten minutes.

Each poller reads one job every second. Each submitter sends a prediction of twenty molecules, reads
its job every second until it has ended, thinks for ten seconds, and sends the next. Fails on any
error, on a job that does not succeed, on a slow poll, and on memory that grows; Redis and Flower
keep a bounded history, so theirs is told and not judged.

    python -m benchmarks.crowd [--minutes 10] [--pollers 200] [--submitters 50] [--think 10]
"""

import argparse
import asyncio
import itertools
import random
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import orjson
import psutil

from benchmarks.cluster import DATA, TARGET, Cluster, embedded
from benchmarks.records import Result, finish
from benchmarks.side_by_side import answer, http_request

POLL_LIMIT_MS = 100.0
GROWTH_LIMIT = 1.05
_POLL_SECONDS = 1.0
_MOLECULES = 20
#: memory is read so often; the first minute, in which everything is loaded, does not count
_SAMPLE_SECONDS = 5.0
_WARM_SECONDS = 60.0
#: they hold the last 100,000 events and tasks: a run of ten minutes fills a part of that
_HISTORIES = {"redis", "flower"}
_ENDED = {"succeeded", "failed", "cancelled"}


@dataclass(kw_only=True)
class Seen:
    polls: list[float] = field(default_factory=list)
    submits: list[float] = field(default_factory=list)
    jobs: int = 0
    errors: list[str] = field(default_factory=list)
    #: {process: [bytes, ...]}
    memory: dict[str, list[int]] = field(default_factory=dict)

    def growth(self, name: str) -> float:
        """Median of the last quarter by that of the first."""
        samples = self.memory[name]
        quarter = max(1, len(samples) // 4)
        return statistics.median(samples[-quarter:]) / statistics.median(samples[:quarter])


class Crowd:
    def __init__(self, cluster: Cluster, body: dict[str, Any], options: argparse.Namespace) -> None:
        self._cluster, self._options, self.seen = cluster, options, Seen()
        self._body = orjson.dumps(body)
        #: the newest jobs, of which pollers choose
        self._jobs: list[str] = []

    async def run(self) -> None:
        self._end = time.monotonic() + 60 * self._options.minutes
        self._jobs.append((await self._submit(await self._connect()))["id"])
        clients = [self._poll() for _ in range(self._options.pollers)]
        clients += [self._work() for _ in range(self._options.submitters)]
        await asyncio.gather(self._watch(), *(self._kept(client) for client in clients))

    async def _kept(self, client: Coroutine[Any, Any, None]) -> None:
        """One client's error is an error of the run, and ends that client only."""
        await asyncio.sleep(random.random())
        try:
            await client
        except (OSError, RuntimeError, asyncio.IncompleteReadError) as error:
            self.seen.errors.append(repr(error))

    async def _poll(self) -> None:
        connection = await self._connect()
        while time.monotonic() < self._end:
            job = random.choice(self._jobs[-100:])
            await self._read(connection, job)
            await asyncio.sleep(_POLL_SECONDS)

    async def _work(self) -> None:
        connection = await self._connect()
        while time.monotonic() < self._end:
            job = await self._submit(connection)
            self._jobs.append(job["id"])
            while job["state"] not in _ENDED:
                await asyncio.sleep(_POLL_SECONDS)
                job = await self._read(connection, job["id"])
            self.seen.jobs += 1
            if job["state"] != "succeeded":
                self.seen.errors.append(f"job {job['id']} {job['state']}: {job.get('error')}")
            await asyncio.sleep(self._options.think)

    async def _connect(self) -> "_Connection":
        reader, writer = await asyncio.open_connection("127.0.0.1", self._cluster.port)
        return _Connection(reader, writer)

    async def _submit(self, connection: "_Connection") -> dict[str, Any]:
        request = http_request("POST", "/api/v1/jobs", self._cluster.key, self._body)
        return await connection.ask(request, 202, self.seen.submits)

    async def _read(self, connection: "_Connection", job: str) -> dict[str, Any]:
        request = http_request("GET", f"/api/v1/jobs/{job}", self._cluster.key)
        return await connection.ask(request, 200, self.seen.polls)

    async def _watch(self) -> None:
        await asyncio.sleep(_WARM_SECONDS)
        while time.monotonic() < self._end:
            for name, size in _memory(self._cluster).items():
                self.seen.memory.setdefault(name, []).append(size)
            await asyncio.sleep(_SAMPLE_SECONDS)


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes, status: int, latencies: list[float]) -> dict[str, Any]:
        """The answer's JSON. Raises RuntimeError for another status."""
        started = time.perf_counter()
        self._writer.write(request)
        body = await answer(self._reader, status)
        latencies.append(time.perf_counter() - started)
        found: dict[str, Any] = orjson.loads(body)
        return found


def _memory(cluster: Cluster) -> dict[str, int]:
    """RSS of each process of the cluster with all its children; Postgres shares memory: not it."""
    state = orjson.loads((cluster.home / "state.json").read_bytes())
    found = {}
    for one in state["processes"]:
        if one["name"] == "postgres" or not one["pid"]:
            continue
        try:
            parent = psutil.Process(one["pid"])
            family = [parent, *parent.children(recursive=True)]
            found[one["name"]] = sum(process.memory_info().rss for process in family)
        except psutil.NoSuchProcess:
            continue
    return found


def _prediction(cluster: Cluster) -> dict[str, Any]:
    """What submitters ask for: a ridge model of ESOL, and a file of twenty of its molecules."""
    client = cluster.client
    client.datasets.create(DATA / "esol.csv", "esol", roles={TARGET: "target"})
    job = client.train("esol", targets=[TARGET], algorithm="ridge")
    model = client.jobs.wait(job["id"])["result"]["model_id"]
    rows = itertools.islice((DATA / "esol.csv").open(), _MOLECULES + 1)
    small = cluster.home / "small.csv"
    small.write_text("".join(rows))
    file = client.files.upload(small)
    return {"kind": "predict", "params": {"model": str(model), "file_id": str(file["id"])}}


def report(seen: Seen, asked: argparse.Namespace) -> list[Result]:
    """Prints."""
    p99 = _milliseconds(seen.polls, 0.99)
    print(f"{len(seen.polls)} polls: p50 {_milliseconds(seen.polls, 0.5):.1f} ms, p99 {p99:.1f} ms")
    print(f"  {p99 / POLL_LIMIT_MS:.2f} of the limit ({POLL_LIMIT_MS:g} ms)")
    print(
        f"{len(seen.submits)} submissions: p50 {_milliseconds(seen.submits, 0.5):.1f} ms, p99"
        f" {_milliseconds(seen.submits, 0.99):.1f} ms; {seen.jobs} jobs ended"
    )
    growths = {name: seen.growth(name) for name in seen.memory}
    for name, growth in growths.items():
        size = statistics.median(seen.memory[name]) / 2**20
        print(f"  {name:12} {size:6.0f} MiB, last quarter by first {growth:.3f}")
    print(f"{len(seen.errors)} errors", *seen.errors[:5], sep="\n  ")
    judged = [growth for name, growth in growths.items() if name not in _HISTORIES]
    submits = _milliseconds(seen.submits, 0.99)
    return [
        Result(
            name="crowd.polls",
            what=f"{asked.pollers} clients that poll each second, {asked.submitters} that submit"
            f" predictions, {asked.minutes:g} minutes on the embedded cluster: p99 of a poll",
            ours=f"{len(seen.polls):,} polls, p50 {_milliseconds(seen.polls, 0.5):.1f} ms, p99"
            f" {p99:.0f} ms; {len(seen.submits):,} submissions, p99 {submits:.0f} ms",
            beside=f"the limit of {POLL_LIMIT_MS:g} ms",
            ratio=p99 / POLL_LIMIT_MS,
            limit=1.0,
            fault=f"{len(seen.errors)} errors" if seen.errors else "",
        ),
        Result(
            name="crowd.memory",
            what="memory meanwhile, the last quarter by the first, of gateway and workers",
            ours=f"{min(judged, default=0.0):.3f} to {max(judged, default=0.0):.3f}",
            beside="",
            ratio=max(judged, default=0.0),
            digits=3,
            limit=GROWTH_LIMIT,
        ),
    ]


def _milliseconds(latencies: list[float], share: float) -> float:
    ordered = sorted(latencies)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main(arguments: list[str] | None = None) -> list[Result]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crowd", description=__doc__)
    number: Callable[[str], float] = float
    parser.add_argument("--minutes", type=number, default=10.0)
    parser.add_argument("--pollers", type=int, default=200)
    parser.add_argument("--submitters", type=int, default=50)
    parser.add_argument("--think", type=number, default=10.0, help="seconds between two jobs")
    options = parser.parse_args(arguments)
    with embedded() as cluster:
        crowd = Crowd(cluster, _prediction(cluster), options)
        asyncio.run(crowd.run())
    return report(crowd.seen, options)


if __name__ == "__main__":
    sys.exit(finish(main()))
