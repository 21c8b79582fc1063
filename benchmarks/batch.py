"""A file of molecules through the cluster's chord against a bare two-process loop.

The same model, the same work for each molecule: read, standardize, Morgan counts, predict, write.
The loop has no queue, no database, no chunks to merge, nothing to recover. Rounds alternate.
Cold: the cluster's cache of features was emptied, and is filled as always; warm: another model of
the same features has predicted the file, so that only the prediction is left to do.

    python -m benchmarks.batch [ROWS ...] [--rounds N]     (41913 is HIV itself)
"""

import argparse
import csv
import os
import random
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from unittest.mock import patch
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from app.models.bundle import ModelBundle
from app.prediction.answers import answer_columns
from app.storage.local import LocalStorage
from benchmarks.cluster import embedded, train_esol
from benchmarks.enumerated import HIV_ROWS, enumerated
from benchmarks.records import Result, finish
from retort import Retort
from workers.processes import thread_limits

PROCESSES = 2
ROUNDS = 5
SIZES = (10_000, HIV_ROWS, 100_000)
#: of the bare loop's rate
LIMITS = {10_000: 0.95, HIV_ROWS: 0.95, 100_000: 0.90}
WARM_LIMIT = 5.0
_STEP = 500


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Seconds of each round. Ratios are of one round, whose three follow each other, and their
    median counts: the machine's speed wavers less within a round than over all of them.
    """

    rows: int
    loop: list[float]
    cold: list[float]
    warm: list[float]

    def seconds(self, name: str) -> float:
        times: list[float] = getattr(self, name)
        return statistics.median(times)

    def ratio(self, name: str) -> float:
        """Of the loop's rate."""
        times: list[float] = getattr(self, name)
        return statistics.median(loop / ours for loop, ours in zip(self.loop, times, strict=True))

    def results(self) -> list[Result]:
        limit = LIMITS.get(self.rows, min(LIMITS.values()))
        what = f"batch prediction: {self.rows:,} of HIV's molecules or enumerated from them"
        loop = f"a bare two-process loop over the same model: {self.seconds('loop'):.1f} s"
        parts = (
            ("cold", f"{what} (read, standardize, Morgan counts, LightGBM, write)", 2, limit),
            ("warm", f"the same {self.rows:,} with the features at hand", 1, WARM_LIMIT),
        )
        return [
            Result(
                name=f"batch.{self.rows}.{name}",
                what=said,
                ours=f"{self.seconds(name):.1f} s, {self.rows / self.seconds(name):,.0f}/s",
                beside=loop,
                ratio=self.ratio(name),
                digits=digits,
                limit=least,
                at_least=True,
            )
            for name, said, digits, least in parts
        ]


def _predict(job: tuple[str, str, list[str], str]) -> None:
    """One process: its part of the molecules, in steps, to a Parquet file."""
    root, manifest_key, smiles, target = job
    bundle = ModelBundle.load(LocalStorage(Path(root)), manifest_key)
    tables = []
    for start in range(0, len(smiles), _STEP):
        found = bundle.predict(smiles[start : start + _STEP])
        tables.append(pa.table(answer_columns(bundle, found)))
    pq.write_table(pa.concat_tables(tables), target, compression="zstd")


@contextmanager
def _loop_processes() -> Iterator[Pool]:
    """With one thread each, as the workers' children have: what they import reads that from their
    environment, and an OpenMP pool of two for each costs the loop a third of its rate.
    """
    with patch.dict(os.environ, thread_limits(1)):
        pool = get_context("spawn").Pool(PROCESSES)
    with pool:
        yield pool


def bare_loop(pool: Pool, source: Path, root: Path, manifest_key: str, folder: Path) -> float:
    """Seconds, in processes that have loaded everything before."""
    started = time.perf_counter()
    with source.open(newline="") as stream:
        smiles = [row["smiles"] for row in csv.DictReader(stream)]
    size = -(-len(smiles) // (4 * PROCESSES))
    parts = [smiles[n : n + size] for n in range(0, len(smiles), size)]
    jobs = [
        (str(root), manifest_key, part, str(folder / f"{n}.parquet"))
        for n, part in enumerate(parts)
    ]
    pool.map(_predict, jobs, chunksize=1)
    return time.perf_counter() - started


def chord(client: Retort, model: str, file_id: str, *, warm: bool) -> float:
    """Seconds from the POST until the job has ended; `warm`: whether its features are at hand."""
    started = time.perf_counter()
    job = client.jobs.submit("predict", {"model": model, "file_id": file_id})
    ended = client.jobs.wait(job["id"])
    seconds = time.perf_counter() - started
    if ended["result"]["cached_features"] != warm:
        raise RuntimeError("the features were not where they should be")
    return seconds


def measured(
    rows: int, rounds: int, client: Retort, models: tuple[str, str], home: Path
) -> Figures:
    source = enumerated(home, rows)
    file_id = client.files.upload(source)["id"]
    first, second = models
    manifest_key = f"models/{UUID(second)}/manifest.json"
    client.jobs.wait(client.jobs.submit("predict", {"model": first, "file_id": file_id})["id"])
    found: dict[str, list[float]] = {"loop": [], "cold": [], "warm": []}
    with _loop_processes() as pool:
        few = [(str(home / "blobs"), manifest_key, ["CCO"], str(home / f"w{n}")) for n in range(2)]
        pool.map(_predict, few, chunksize=1)
        ask: dict[str, Callable[[], float]] = {
            "loop": lambda: bare_loop(pool, source, home / "blobs", manifest_key, home),
            "cold": lambda: chord(client, second, file_id, warm=False),
            "warm": lambda: chord(client, second, file_id, warm=True),
        }
        chord(client, second, file_id, warm=True)  # the model is loaded everywhere
        for number in range(rounds):
            for name in random.Random(number).sample(sorted(ask), 3):
                if name == "cold":
                    shutil.rmtree(home / "blobs" / "prepared")
                found[name].append(ask[name]())
    return Figures(rows=rows, **found)


def _model(client: Retort, rounds: int) -> str:
    """Two that differ in the booster, not in the features."""
    return train_esol(
        client,
        algorithm={"name": "lightgbm", "params": {"n_estimators": rounds}},
        features=[{"name": "morgan_counts"}],
    )


def _tell(figures: Figures) -> None:
    rows = figures.rows
    print(
        f"batch of {rows:,}: cold {figures.ratio('cold'):.2f} of the bare {PROCESSES}-process loop"
        f" (limit {LIMITS.get(rows)}), warm {figures.ratio('warm'):.1f} times it"
        f" (limit {WARM_LIMIT})"
    )
    for name in ("loop", "cold", "warm"):
        seconds = figures.seconds(name)
        rounds = ", ".join(f"{one:.2f}" for one in getattr(figures, name))
        print(f"  {name:5} {seconds:7.1f} s   {rows / seconds:7,.0f} molecules/s   ({rounds})")


def main(sizes: list[int], rounds: int) -> list[Result]:
    results: list[Result] = []
    with embedded() as cluster:
        client, home = cluster.client, cluster.home
        models = _model(client, 300), _model(client, 301)
        for rows in sizes:
            figures = measured(rows, rounds, client, models, home)
            _tell(figures)
            results += figures.results()
    return results


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    sys.exit(finish(main(asked.rows, asked.rounds)))
