"""One molecule at a time over HTTP: ours against Celery with batching (decision 15).

The same stored model behind a batch task of celery-batches, whose results come back through the
Redis result backend, called by a FastAPI coroutine; by a prefork worker and by a solo one
(benchmarks/peers/serve_celery.py). Both give the same answers as ours, which is checked before the
clock starts. Never asked before: each server is asked for each of HIV's molecules once, the same
ones in the same round. One server at a time is under load, rounds alternate, medians count.

    python -m benchmarks.celery_batching [--seconds N] [--rounds N] [--clients N ...]
"""

import argparse
import contextlib
import sys
from collections.abc import Sequence

from benchmarks.cluster import embedded, manifest_key, train_esol
from benchmarks.peers.servers import celery_batching, wait_until_it_answers
from benchmarks.records import Result, finish, table
from benchmarks.serving import CLIENTS, agree, retort, uncached
from benchmarks.serving_table import Rounds, against, figures_of

POOLS = ("prefork", "solo")


def measure(options: argparse.Namespace) -> Rounds:
    with embedded() as cluster, contextlib.ExitStack() as running:
        model = train_esol(
            cluster.client, features=[{"name": "morgan_bits"}], algorithm={"name": "lightgbm"}
        )
        ours = retort(cluster, model)
        wait_until_it_answers(ours)
        peers = [
            running.enter_context(
                celery_batching(pool, cluster.blobs, manifest_key(model), cluster.home)
            )
            for pool in options.pools
        ]
        agree(ours, peers)
        return uncached([ours, *peers], options)


def report(rounds: Rounds) -> list[Result]:
    """Ratios to the better pool; no limit, as the issue asks for what is kept, not by how much."""
    peers = [name for name in rounds.servers if name != "retort"]
    results = [
        result
        for clients in rounds.clients
        for result in against(rounds, peers, clients, name="celery_batching", limits={})
    ]
    print(table(results), *figures_of("never asked before", rounds), sep="\n")
    return results


def main(arguments: Sequence[str] = ()) -> list[Result]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one round at most")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, nargs="+", default=list(CLIENTS))
    parser.add_argument("--pools", nargs="+", choices=POOLS, default=list(POOLS))
    return report(measure(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(finish(main(sys.argv[1:])))
