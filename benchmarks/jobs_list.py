"""GET /api/v1/jobs with 1,000,000 jobs in the table, against the limit of 100 ms (p95).

The real gateway on a private Postgres, one request after the other over one connection. The
filters are those that an index answers at once, those that leave few jobs, and those that no index
answers: there the page is bounded in what it looks at, and may be partly filled.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.access.keys import create_key
from app.db.database import Database
from benchmarks.records import Result, finish
from benchmarks.side_by_side import ROOT, serve
from tests.support.many_jobs import STEP_MS, fill_jobs
from workers.servers import PostgresServer, RedisServer

JOBS = 1_000_000
REQUESTS = 60
LIMIT_MS = 100.0

Params = list[tuple[str, str]]


def moment(jobs_ago: int) -> str:
    return (datetime.now(UTC) - timedelta(milliseconds=jobs_ago * STEP_MS)).isoformat()


def cases() -> dict[str, Params]:
    half = JOBS // 2
    return {
        "first page": [],
        "state": [("state", "failed")],
        "state, rare": [("state", "cancelled")],
        "kind": [("kind", "train")],
        "kind, rare": [("kind", "optimize")],
        "state and kind": [("state", "failed"), ("kind", "train")],
        "two states, two kinds": [
            *(("state", "failed"), ("state", "cancelled")),
            *(("kind", "train"), ("kind", "optimize")),
        ],
        "label, frequent": [("label", "team:t1")],
        "label, rare": [("label", "batch:b4321")],
        "label, frequent long ago": [("label", "campaign:old")],
        "label and state": [("label", "team:t3"), ("state", "failed")],
        "caller": [("created_by", "key:user-2")],
        "caller, rare": [("created_by", "key:rare")],
        "caller and state": [("created_by", "key:user-3"), ("state", "failed")],
        "a week, long ago": [
            ("created_after", moment(half + 300_000)),
            ("created_before", moment(half)),
        ],
        "a day and a label": [
            ("created_before", moment(half)),
            ("created_after", moment(half + 43_200)),
            ("label", "batch:b77"),
        ],
        "q, frequent": [("q", "set-17")],
        "q, nowhere": [("q", "no such words")],
        "q, rare, and a label": [("q", "model-299"), ("label", "team:t3")],
    }


class Gateway:
    def __init__(self, port: int, key: str) -> None:
        self.url = f"http://127.0.0.1:{port}/api/v1/jobs"
        self.key = key

    def get(self, params: Params) -> tuple[float, dict[str, Any]]:
        """(ms, page)."""
        request = urllib.request.Request(
            f"{self.url}?{urllib.parse.urlencode(params)}",
            headers={"Authorization": f"Bearer {self.key}"},
        )
        started = time.perf_counter()
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = answer.read()
        return (time.perf_counter() - started) * 1000, json.loads(body)

    def wait(self) -> None:
        for _ in range(300):
            try:
                self.get([])
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise TimeoutError("the gateway did not start")

    def measure(self, params: Params) -> tuple[list[float], int]:
        """Latencies, and how many items the page has."""
        self.get(params)
        found = [self.get(params) for _ in range(REQUESTS)]
        return [ms for ms, _ in found], len(found[0][1]["items"])

    def walk(self, pages: int) -> list[float]:
        """Page after page of 200, each once."""
        latencies, cursor = [], ""
        for _ in range(pages):
            params = [("limit", "200"), *([("cursor", cursor)] if cursor else [])]
            ms, page = self.get(params)
            latencies.append(ms)
            cursor = page["next_cursor"]
        return latencies

    def deep(self) -> tuple[list[float], int]:
        """Pages at places all over the list: the second page of what was before a moment."""
        dice, latencies = random.Random(1), []
        for _ in range(REQUESTS):
            before = [("created_before", moment(dice.randrange(JOBS // 2, JOBS - 1000)))]
            _, page = self.get(before)
            ms, page = self.get([*before, ("cursor", page["next_cursor"])])
            latencies.append(ms)
        return latencies, len(page["items"])


def p95(latencies: list[float]) -> float:
    return sorted(latencies)[int(0.95 * len(latencies))]


def report(gateway: Gateway) -> float:
    """Prints a row each; the worst p95."""
    rows = {name: gateway.measure(params) for name, params in cases().items()}
    rows["cursor, anywhere"] = gateway.deep()
    rows["walk, pages of 200"] = (gateway.walk(REQUESTS), 200)
    worst = max(p95(latencies) for latencies, _ in rows.values())
    print(f"list of {JOBS:,} jobs: worst p95 {worst:.0f} ms, {worst / LIMIT_MS:.2f} of the limit")
    for name, (latencies, items) in rows.items():
        print(
            f"  {name:26} p50 {statistics.median(latencies):6.1f} ms   p95 {p95(latencies):6.1f} ms"
            f"   {items:3} items"
        )
    return worst


def main() -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="retort-bench-") as name:
        home = Path(name)
        home.chmod(0o711)
        postgres, redis = PostgresServer(home / "postgres"), RedisServer(home / "redis")
        servers: list[subprocess.Popen[bytes]] = []
        try:
            postgres.start()
            environment = {
                "RETORT_DATABASE_URL": postgres.ensure_database("retort"),
                "RETORT_REDIS_URL": redis.start(),
                "RETORT_STORAGE_ROOT": str(home / "blobs"),
                "RETORT_LOG_LEVEL": "ERROR",
            }
            command = [sys.executable, "-m", "alembic", "upgrade", "head"]
            subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True)
            database = Database(environment["RETORT_DATABASE_URL"])
            with database.session() as session:
                key = create_key(session, name="bench").text
            fill_jobs(database, JOBS)
            database.dispose()
            server, port = serve("api.main:create_api", environment)
            servers.append(server)
            gateway = Gateway(port, key)
            gateway.wait()
            worst = report(gateway)
        finally:
            for server in servers:
                server.kill()
                server.wait()
            redis.kill()
            postgres.kill()
    return [
        Result(
            name="jobs_list",
            what=f"lists of {JOBS:,} jobs, pages of 50: the worst p95",
            ours=f"{worst:.0f} ms",
            beside=f"the limit of {LIMIT_MS:g} ms",
            ratio=worst / LIMIT_MS,
            limit=1.0,
        )
    ]


if __name__ == "__main__":
    sys.exit(finish(main()))
