"""Ingests mutants one after the other in a process of its own; a line of JSON for each.

`python -m tests.mutated.ingesting <first seed> <stop>`; the servers come from the environment.
"""

import csv
import io
import json
import sys
import time
import traceback
from typing import Any

from app.core.errors import RetortError
from app.core.work import SilentContext
from app.db.base import DEFAULT_PROJECT_ID
from app.db.datasets import DatasetRow
from app.ingestion import service
from app.resources import Resources, get_resources
from tests.mutated.mutant import Mutant
from tests.mutated.mutator import mutant
from tests.support.datasets import new_dataset, stored_file
from tests.support.inprocess import run_fan_out
from tests.support.memory import peak_bytes

#: rows are refused by design here; what is asked is that each is accounted for
_OPTIONS = {"max_bad_fraction": 1.0}


def ingest(resources: Resources, made: Mutant) -> dict[str, Any]:
    """What became of it: counts, or the problem."""
    file_id = stored_file(resources, made.content, made.name or "f")
    params = new_dataset(resources, file_id, name="mutant", **_OPTIONS, **made.options)
    context = SilentContext(project_id=DEFAULT_PROJECT_ID)
    try:
        outcome = run_fan_out(service, resources, context, params)
    except RetortError as error:
        return {"problem": error.problem()}
    with resources.database.session() as session:
        outcome.commit(session)
    with resources.database.session() as session:
        folder = session.get_one(DatasetRow, params.dataset_id).manifest_key.rpartition("/")[0]
    text = resources.storage.read(f"{folder}/rejected.csv").decode()
    lines = list(csv.DictReader(io.StringIO(text, newline="")))
    resources.storage.delete(f"work/{context.job_id}")
    return {"counts": outcome.result, "rejected": [line["reason"] for line in lines]}


def main(first: int, stop: int) -> None:
    resources = get_resources()
    for seed in range(first, stop):
        made = mutant(seed)
        before, started = peak_bytes() or 0, time.monotonic()
        try:
            told = ingest(resources, made)
        except Exception:  # noqa: BLE001 - that is what is looked for
            told = {"trace": traceback.format_exc()}
        peak, seconds = peak_bytes() or 0, round(time.monotonic() - started, 3)
        told |= {"seed": seed, "name": made.name, "how": made.how, "grown": peak - before}
        told |= {"seconds": seconds, "peak": peak}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
