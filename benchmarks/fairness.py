"""What a small job waits while a batch of 100,000 molecules has the cluster.

Twice: a small batch prediction behind a large one (queue predict), and a small training behind a
large ingest (queue cpu). Beside each wait stands what it would have been in one line for all: the
time that the large job still needed. A fair wait is a few chunks of the large job, measured in the
same run. Synchronous predictions go on all the while.
"""

import csv
import gzip
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.cluster import DATA, TARGET, embedded
from benchmarks.records import Result, finish
from retort import Retort

ROWS = 100_000
#: longest wait of a small job, in longest chunks of the large one
LIMIT = 3.0
_EVERY_SECONDS = 4.0


@dataclass(kw_only=True)
class Found:
    """Seconds."""

    what: str
    waits: list[float] = field(default_factory=list)
    #: what the large job still needed when the small one was posted
    in_one_line: list[float] = field(default_factory=list)
    at_once: list[float] = field(default_factory=list)
    chunk: float = 0.0
    chunks: int = 0

    @property
    def ratio(self) -> float:
        return max(self.waits) / self.chunk

    def result(self, name: str) -> Result:
        in_one_line = statistics.median(self.in_one_line)
        return Result(
            name=f"fairness.{name}",
            what=f"{self.what}, every {_EVERY_SECONDS:g} s: its longest wait in longest chunks",
            ours=f"waits {statistics.median(self.waits):.1f} s, at worst {max(self.waits):.1f} s",
            beside=f"longest chunk {self.chunk:.1f} s; in one line it would be {in_one_line:.0f} s",
            ratio=self.ratio,
            digits=1,
            limit=LIMIT,
        )


def large_file(folder: Path) -> Path:
    """HIV's 41,913 molecules, again and again."""
    path = folder / "large.csv"
    with gzip.open(DATA / "hiv.csv.gz", "rt", newline="") as stream:
        smiles = [row["smiles"] for row in csv.DictReader(stream)]
    with path.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["smiles", "y"])
        writer.writerows([text, n % 7] for n, text in enumerate(islice(cycle(smiles), ROWS)))
    return path


def seconds_between(job: dict[str, Any], first: str, last: str) -> float:
    return (_time(job[last]) - _time(job[first])).total_seconds()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def measure(
    client: Retort, what: str, large: dict[str, Any], small: Callable[[], dict[str, Any]]
) -> Found:
    """Post a small job every few seconds while the large one has chunks to do."""
    found = Found(what=what)
    posted: list[dict[str, Any]] = []
    while client.jobs.get(large["id"])["progress"].get("stage") != "chunks":
        time.sleep(0.2)
    while (now := client.jobs.get(large["id"]))["state"] == "running":
        if now["progress"].get("percent", 0.0) < 90:
            posted.append(small())
        started = time.perf_counter()
        client.predict("small", ["CCO"])
        found.at_once.append(time.perf_counter() - started)
        time.sleep(_EVERY_SECONDS)
    ended = client.jobs.wait(large["id"])
    for job in posted:
        done = client.jobs.wait(job["id"])
        found.waits.append(seconds_between(done, "created_at", "started_at"))
        left = _time(ended["finished_at"]) - _time(done["created_at"])
        found.in_one_line.append(left.total_seconds())
    chunks = client.transport.json("GET", f"/jobs/{large['id']}/chunks")["items"]
    found.chunk = max(seconds_between(chunk, "started_at", "finished_at") for chunk in chunks)
    found.chunks = len(chunks)
    return found


def main() -> list[Result]:
    learn: dict[str, Any] = {
        "targets": [TARGET],
        "features": [{"name": "morgan_counts"}],
        "bootstrap": 0,
    }
    quick = {"name": "lightgbm", "params": {"n_estimators": 50}}
    with embedded() as cluster:
        client = cluster.client
        client.datasets.create(DATA / "esol.csv", "esol", roles={TARGET: "target"})
        job = client.train("esol", algorithm=quick, name="small", **learn)
        client.jobs.wait(job["id"])
        large = client.files.upload(large_file(cluster.home))["id"]
        few = client.files.upload(DATA / "freesolv.csv")["id"]
        batch = {"model": "small", "file_id": large}
        results = [
            measure(
                client,
                f"a small batch (642 rows) behind a batch of {ROWS:,} rows",
                client.jobs.submit("predict", batch),
                lambda: client.jobs.submit("predict", {"model": "small", "file_id": few}),
            ),
            measure(
                client,
                f"a small training behind an ingest of {ROWS:,} rows",
                client.jobs.submit("ingest", {"file_id": large, "name": "large"}),
                lambda: client.train("esol", algorithm=quick, name="small", **learn),
            ),
        ]
    for found in results:
        print(
            f"fairness: {found.what}: waited {statistics.median(found.waits):.2f} s, at worst"
            f" {max(found.waits):.2f} s = {found.ratio:.1f} longest chunks (limit {LIMIT:g});"
            f" in one line: {statistics.median(found.in_one_line):.0f} s"
        )
        print(
            f"  {len(found.waits)} small jobs, large: {ROWS:,} rows, {found.chunks} chunks, longest"
            f" {found.chunk:.1f} s; synchronous predictions meanwhile:"
            f" {1000 * statistics.median(found.at_once):.0f} ms, worst"
            f" {1000 * max(found.at_once):.0f} ms"
        )
    return [found.result(name) for name, found in zip(("batch", "training"), results, strict=True)]


if __name__ == "__main__":
    sys.exit(finish(main()))
