"""Finalize of many staged rows, without the chemistry before it; prints what it took.

Run as a process of its own, so that the peak is its own: python -m tests.support.large_ingest ROWS
"""

import json
import sys
import time

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from app.core.work import ChunkResult, ChunkSpec, SilentContext
from app.datasets.parts import Layout
from app.db.base import DEFAULT_PROJECT_ID
from app.ingestion import service
from app.ingestion.staging import HEAVY_ATOMS, SCAFFOLD
from app.resources import get_resources
from app.storage import keys
from tests.support.datasets import new_dataset, stored_file
from tests.support.memory import peak_bytes

PARTS = 200
COLUMNS = [
    {"name": "smiles", "role": "smiles", "type": "structure"},
    {"name": "y", "role": "target", "type": "number"},
    {"name": "active", "role": "target", "type": "binary"},
    {"name": "name", "role": "id", "type": "text"},
]


def smiles_of(number: int) -> str:
    """A chain that writes the number in base 4: C, N, O, S."""
    letters = []
    while number:
        letters.append("CNOS"[number % 4])
        number //= 4
    return "C" + "".join(letters)


def part(first: int, rows: int, total: int) -> pa.Table:
    """Every tenth row repeats an earlier structure, with another value."""
    numbers = np.arange(first, first + rows)
    structures = np.where(numbers % 10 == 9, (numbers * 7919) % total, numbers)
    smiles = [smiles_of(int(n)) for n in structures]
    return pa.table(
        {
            "row": pa.array(numbers + 1, pa.int64()),
            "smiles": pa.array(smiles, pa.string()),
            "input_smiles": pa.array(smiles, pa.string()),
            "y": pa.array(np.sin(numbers), pa.float64()),
            "active": pa.array([str(n % 2) for n in numbers], pa.string()),
            "name": pa.array([f"compound-{n}" for n in numbers], pa.string()),
            SCAFFOLD: pa.array([f"C1CC1{s}" if n % 3 else "" for n, s in enumerate(smiles)]),
            HEAVY_ATOMS: pa.array([len(s) for s in smiles], pa.int32()),
        }
    )


def stage(storage, context, rows: int) -> list[ChunkResult]:
    """200 parts, one row in fifty of each refused."""
    results = []
    size = rows // PARTS
    for number in range(PARTS):
        stem = keys.work(context.job_id, context.attempt, f"staged/{number:05d}")
        table = part(number * size, size, rows)
        refused = np.arange(size) % 50 == 49
        with storage.writer(f"{stem}.parquet") as stream:
            pq.write_table(table.filter(pa.array(~refused)), stream, compression="zstd")
        entries = [
            {
                "row": row["row"],
                "value": row["smiles"],
                "reason": f"y is not a number: {row['y']!r}",
            }
            for row in table.filter(pa.array(refused)).to_pylist()
        ]
        storage.write(f"{stem}.refused.json", orjson.dumps(entries))
        results.append(
            ChunkResult(
                chunk=number,
                spec=ChunkSpec(source={"key": f"parts/{number:05d}"}, stop_row=size),
                state="succeeded",
                result={
                    "key": f"{stem}.parquet",
                    "refused_key": f"{stem}.refused.json",
                    "changes": {"neutralized": 1},
                    "elements": {"C": size},
                    "bad_cells": {},
                },
            )
        )
    return results


def main(rows: int) -> None:
    resources = get_resources()
    context = SilentContext(project_id=DEFAULT_PROJECT_ID)
    params = new_dataset(resources, stored_file(resources, "x"), name="large")
    layout = Layout(format="csv", columns=COLUMNS, rows=rows, rows_per_part=rows, notes=[])
    layout.save(resources.storage, context.job_id, context.attempt)
    results = stage(resources.storage, context, rows)
    before = peak_bytes()
    started = time.perf_counter()
    outcome = service.finalize(resources, context, params, results)
    seconds = time.perf_counter() - started
    with resources.database.session() as session:
        outcome.commit(session)
    found = {"seconds": seconds, "before": before, "peak": peak_bytes()}
    print(json.dumps(outcome.result | found))


if __name__ == "__main__":
    main(int(sys.argv[1]))
