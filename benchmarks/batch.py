"""41,913 HIV molecules through the cluster's chord against a bare two-process loop.

The same model, the same work for each molecule: read, standardize, Morgan counts, predict, write.
The loop has no queue, no database, no chunks to merge, nothing to recover. Rounds alternate.
"""

import csv
import gzip
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from app.models.bundle import ModelBundle
from app.prediction.answers import answer_columns
from app.storage.local import LocalStorage
from retort import Retort

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "examples" / "data"
TARGET = "measured log solubility in mols per litre"
PROCESSES = 2
ROUNDS = 3
LIMIT = 0.85
_STEP = 500


def _predict(job: tuple[str, str, list[str], str]) -> None:
    """One process: its half of the molecules, in steps, to a Parquet file."""
    os.environ["OMP_NUM_THREADS"] = "1"
    root, manifest_key, smiles, target = job
    bundle = ModelBundle.load(LocalStorage(Path(root)), manifest_key)
    tables = []
    for start in range(0, len(smiles), _STEP):
        found = bundle.predict(smiles[start : start + _STEP])
        tables.append(pa.table(answer_columns(bundle, found)))
    pq.write_table(pa.concat_tables(tables), target, compression="zstd")


def bare_loop(root: Path, manifest_key: str, folder: Path) -> float:
    """Seconds; processes and their imports are started before the clock."""
    with get_context("spawn").Pool(PROCESSES) as pool:
        warm = [(str(root), manifest_key, ["CCO"], str(folder / f"w{n}")) for n in range(PROCESSES)]
        pool.map(_predict, warm, chunksize=1)
        started = time.perf_counter()
        with gzip.open(DATA / "hiv.csv.gz", "rt", newline="") as stream:
            smiles = [row["smiles"] for row in csv.DictReader(stream)]
        size = -(-len(smiles) // (4 * PROCESSES))
        parts = [smiles[n : n + size] for n in range(0, len(smiles), size)]
        jobs = [
            (str(root), manifest_key, part, str(folder / f"{n}.parquet"))
            for n, part in enumerate(parts)
        ]
        pool.map(_predict, jobs, chunksize=1)
        return time.perf_counter() - started


def chord(client: Retort, model: str, file_id: str) -> tuple[float, int]:
    """Seconds from the POST until the job has ended, and its rows."""
    started = time.perf_counter()
    job = client.jobs.submit("predict", {"model": model, "file_id": file_id})
    ended = client.jobs.wait(job["id"])
    return time.perf_counter() - started, ended["counts"]["rows_total"]


def main() -> int:
    home = Path(tempfile.mkdtemp(prefix="retort-bench-"))
    home.chmod(0o711)
    environment = {**os.environ, "RETORT_HOME": str(home)}
    supervisor = [sys.executable, "-m", "workers.embedded"]
    try:
        subprocess.run([*supervisor, "up"], cwd=ROOT, env=environment, check=True)
        stored = json.loads((home / "client.json").read_text())
        with Retort(stored["url"], stored["api_key"]) as client:
            client.datasets.create(DATA / "esol.csv", "esol", roles={TARGET: "target"})
            job = client.train("esol", targets=[TARGET], features=[{"name": "morgan_counts"}])
            model = client.jobs.wait(job["id"])["result"]["model_id"]
            file_id = client.files.upload(DATA / "hiv.csv.gz")["id"]
            manifest_key = f"models/{UUID(model)}/manifest.json"
            chord(client, model, file_id)  # warm
            bare, ours, rows = [], [], 0
            for _ in range(ROUNDS):
                bare.append(bare_loop(home / "blobs", manifest_key, home))
                seconds, rows = chord(client, model, file_id)
                ours.append(seconds)
    finally:
        subprocess.run([*supervisor, "down"], cwd=ROOT, env=environment, check=False)
        shutil.rmtree(home, ignore_errors=True)
    loop, cluster = statistics.median(bare), statistics.median(ours)
    ratio = loop / cluster
    print(f"batch: {ratio:.2f} of the bare {PROCESSES}-process loop (limit {LIMIT})")
    for name, seconds in (("loop", loop), ("retort", cluster)):
        print(f"  {name:7} {seconds:6.1f} s   {rows / seconds:6.0f} molecules/s   {rows:,} rows")
    return int(ratio < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
