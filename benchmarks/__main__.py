"""Runs every benchmark, or those that are named; exits non-zero when a limit is missed.

What each has found goes into benchmarks/records/bench.jsonl and onto docs/benchmarks.md as soon as
it has ended.

    python -m benchmarks [NAME ...]
    python -m benchmarks --table    only writes the page anew from the records
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from benchmarks import (
    batch,
    batch_memory,
    batch_peers,
    celery_batching,
    crowd,
    fairness,
    featurize,
    ingest,
    jobs_list,
    one_row,
    poll,
    records,
    serving,
    submit,
)

BENCHMARKS: dict[str, Callable[[], Sequence[records.Result]]] = {
    "submit": submit.main,
    "poll": poll.main,
    "one_row": one_row.main,
    "serving": serving.main,
    "celery_batching": celery_batching.main,
    "featurize": lambda: featurize.main(featurize.ROWS, featurize.ROUNDS, peers=True),
    "batch_peers": batch_peers.main,
    "batch": lambda: batch.main(list(batch.SIZES), batch.ROUNDS),
    "fairness": fairness.main,
    "jobs_list": jobs_list.main,
    "crowd": lambda: crowd.main([]),
    "ingest": ingest.main,
    "batch_memory": lambda: batch_memory.main(batch_memory.ROWS),
}
#: takes an hour: only by its name
_LONG = {"batch_memory"}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--table", action="store_true", help="run nothing")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    if options.table:
        records.PAGE.write_text(records.page_with(records.read(), records.PAGE.read_text()))
        return 0
    # all run, whatever the first says
    return max([_run(name) for name in options.names or BENCHMARKS if _wanted(name, options.names)])


def _wanted(name: str, named: Sequence[str]) -> bool:
    return name in named or name not in _LONG


def _run(name: str) -> int:
    load = os.getloadavg()[0]
    results = BENCHMARKS[name]()
    records.keep(results, command=f"python -m benchmarks {name}", load=load)
    return records.finish(results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
