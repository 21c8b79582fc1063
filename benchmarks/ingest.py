"""1,000,000 different SMILES through a whole cluster's ingest: rows per second, memory at its peak.

The molecules are those of HIV, with metals, salts and strange valences, and with alkyl chains of
0 to 25 carbons put before them. Beside the peak of each process stands the limit of 1 GB; it is the
largest resident set that the kernel has seen (VmHWM), libraries included.

    python -m benchmarks.ingest [ROWS]
"""

import csv
import gzip
import sys
import threading
import time
from collections import defaultdict
from itertools import islice
from pathlib import Path

import psutil

from benchmarks.cluster import DATA, embedded
from benchmarks.records import Result, finish
from tests.support.memory import peak_bytes

ROWS = 1_000_000
LIMIT_BYTES = 1_000_000_000
_CHAINS = 26
_EVERY_SECONDS = 0.5


def large_file(folder: Path, rows: int) -> Path:
    """As many different SMILES as asked for, with a number as target."""
    path = folder / "million.csv"
    with gzip.open(DATA / "hiv.csv.gz", "rt", newline="") as stream:
        smiles = list(dict.fromkeys(row["smiles"] for row in csv.DictReader(stream)))
    longer = ("C" * carbons + text for carbons in range(_CHAINS) for text in smiles)
    different = list(islice(dict.fromkeys(longer), rows))
    if len(different) < rows:
        raise ValueError(f"{rows} are more than {_CHAINS} chains give")
    with path.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["smiles", "y"])
        writer.writerows([text, n % 97] for n, text in enumerate(different))
    return path


class Peaks(threading.Thread):
    """Largest resident set of each process of the cluster, by what it does."""

    def __init__(self, home: Path) -> None:
        super().__init__(daemon=True)
        self._home = str(home)
        self._stopped = threading.Event()
        self.bytes: dict[str, int] = defaultdict(int)

    def run(self) -> None:
        while not self._stopped.wait(_EVERY_SECONDS):
            for process in psutil.process_iter():
                try:
                    self._look(process)
                except (psutil.Error, OSError):
                    continue  # it has ended meanwhile

    def _look(self, process: psutil.Process) -> None:
        if process.environ().get("RETORT_HOME") != self._home:
            return
        name = _name_of(process)
        if name is not None:
            peak = peak_bytes(process.pid) or process.memory_info().rss
            self.bytes[name] = max(self.bytes[name], peak)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _name_of(process: psutil.Process) -> str | None:
    """`cpu worker`, `gateway`; children count with their parent. None: not ours."""
    command = process.cmdline()
    if "celery" in command and "worker" in command:
        return f"{command[command.index('-n') + 1].partition('@')[0]} worker"
    return "gateway" if any("api.main" in word for word in command) else None


def main(rows: int = ROWS) -> list[Result]:
    with embedded() as cluster:
        client, peaks = cluster.client, Peaks(cluster.home)
        peaks.start()
        try:
            file_id = client.files.upload(large_file(cluster.home, rows))["id"]
            started = time.perf_counter()
            job = client.jobs.submit("ingest", {"file_id": file_id, "name": "million"})
            counts = client.jobs.wait(job["id"])["counts"]
            seconds = time.perf_counter() - started
        finally:
            peaks.stop()
    if counts["rows_total"] != rows:
        raise RuntimeError(f"{counts['rows_total']} rows instead of {rows}")
    worst = max(peaks.bytes.values())
    print(
        f"ingest: {rows:,} SMILES in {seconds:.0f} s, {rows / seconds:,.0f} rows/s; largest process"
        f" {worst / 1e6:.0f} MB = {worst / LIMIT_BYTES:.2f} of the limit"
    )
    print("  " + ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())))
    for name, peak in sorted(peaks.bytes.items()):
        print(f"  {name:20} {peak / 1e6:6.0f} MB")
    return [
        Result(
            name="ingest",
            what=f"ingest of {rows:,} different SMILES (HIV's, longer by alkyl chains), memory of"
            " the largest process",
            ours=f"{worst / 1e6:.0f} MB, in {seconds:,.0f} s ({rows / seconds:,.0f} rows/s)",
            beside=f"the limit of {LIMIT_BYTES / 1e9:g} GB",
            ratio=worst / LIMIT_BYTES,
            limit=1.0,
        )
    ]


if __name__ == "__main__":
    sys.exit(finish(main(*map(int, sys.argv[1:2]))))
