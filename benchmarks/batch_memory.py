"""1,000,000 different SMILES predicted by a cheap model: memory at its peak, rows per second.

Morgan bits (512) and ridge. The gateway is to stay flat (what it has grown since it was idle, while
rows are read as well), each worker below 1.5 GB. Peaks are the kernel's (VmHWM), with libraries.

    python -m benchmarks.batch_memory [--rows N]
"""

import argparse
import sys
import time

from benchmarks.cluster import DATA, embedded, train_esol
from benchmarks.ingest import Peaks, large_file
from benchmarks.records import Result, finish
from retort import Retort

ROWS = 1_000_000
WORKER_LIMIT = 1_500_000_000
#: that the gateway may grow: its own thread stacks and buffers, far below any file
GATEWAY_GROWTH = 64_000_000
_PAGE = 200
_POLL_SECONDS = 2.0


def _watched(client: Retort, job_id: str) -> dict[str, int]:
    """Reads ranges of rows while it runs; the counts of the ended job."""
    start = 1
    while True:
        job = client.jobs.get(job_id)
        found = client.jobs.row_range(job_id, start, _PAGE)
        start = 1 + (start + 99_991) % max(found["rows_total"] or 1, 1)
        if job.done:
            if job.state != "succeeded":
                raise RuntimeError(f"{job.state}: {job['error']}")
            counts: dict[str, int] = job["counts"]
            return counts
        time.sleep(_POLL_SECONDS)


def main(rows: int) -> list[Result]:
    with embedded() as cluster:
        client, peaks = cluster.client, Peaks(cluster.home)
        peaks.start()
        try:
            model = train_esol(
                client,
                algorithm={"name": "ridge"},
                features=[{"name": "morgan_bits", "params": {"fp_size": 512}}],
                bootstrap=0,
            )
            file_id = client.files.upload(large_file(cluster.home, rows))["id"]
            idle = _warm_gateway(client, model, peaks)
            started = time.perf_counter()
            job = client.jobs.submit("predict", {"model": model, "file_id": file_id})
            counts = _watched(client, job["id"])
            seconds = time.perf_counter() - started
        finally:
            peaks.stop()
    if counts["rows_total"] != rows:
        raise RuntimeError(f"{counts['rows_total']} rows instead of {rows}")
    return _verdict(peaks, idle, rows, seconds)


def _warm_gateway(client: Retort, model: str, peaks: Peaks) -> int:
    """Its peak (bytes) after a small job whose rows were read: all is imported."""
    file_id = client.files.upload(DATA / "freesolv.csv")["id"]
    job = client.jobs.submit("predict", {"model": model, "file_id": file_id})
    _watched(client, job["id"])
    time.sleep(_POLL_SECONDS)
    return peaks.bytes["gateway"]


def _verdict(peaks: Peaks, idle: int, rows: int, seconds: float) -> list[Result]:
    grown = peaks.bytes["gateway"] - idle
    worst = max(peak for name, peak in peaks.bytes.items() if name != "gateway")
    print(
        f"batch memory: {rows:,} SMILES in {seconds:.0f} s, {rows / seconds:,.0f} rows/s; largest"
        f" worker {worst / 1e6:.0f} MB = {worst / WORKER_LIMIT:.2f} of the limit; the gateway grew"
        f" by {grown / 1e6:.0f} MB (limit {GATEWAY_GROWTH / 1e6:.0f})"
    )
    for name, peak in sorted(peaks.bytes.items()):
        print(f"  {name:20} {peak / 1e6:6.0f} MB")
    return [
        Result(
            name="batch_memory.worker",
            what=f"batch prediction of {rows:,} different SMILES (Morgan bits, ridge), memory of"
            " the largest worker",
            ours=f"{worst / 1e6:.0f} MB, in {seconds:,.0f} s ({rows / seconds:,.0f} rows/s)",
            beside=f"the limit of {WORKER_LIMIT / 1e9:g} GB",
            ratio=worst / WORKER_LIMIT,
            limit=1.0,
        ),
        Result(
            name="batch_memory.gateway",
            what="the gateway meanwhile, rows read from it: what it has grown",
            ours=f"{grown / 1e6:.0f} MB",
            beside=f"the limit of {GATEWAY_GROWTH / 1e6:.0f} MB",
            ratio=grown / GATEWAY_GROWTH,
            limit=1.0,
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=ROWS)
    sys.exit(finish(main(parser.parse_args().rows)))
