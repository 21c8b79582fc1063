"""One molecule at a time over HTTP: ours against LitServe, BentoML and a bare Redis endpoint.

All serve the same stored model (Morgan bits, LightGBM, ESOL) and give the same answer (value,
interval, domain), which is checked before the clock starts; `plain` beside them is what their user
would write by hand, for one number. Uncached: each server is asked for each of HIV's molecules
once, the same ones in the same round. Cached: one molecule again and again. One server at a time is
under load, rounds alternate, the median of the rounds counts; nothing is pinned to a core.
"""

import argparse
import contextlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import orjson

from benchmarks.cluster import TARGET, Cluster, embedded, hiv_smiles, manifest_key, train_esol
from benchmarks.load import drive
from benchmarks.peers.servers import PEERS, Server, bare_endpoints, peer, wait_until_it_answers
from benchmarks.records import Result, finish
from benchmarks.serving_table import Rounds, report

CLIENTS = (1, 8, 32)
#: our fast one-row form may differ from the fitted model by so much, in the target's unit
TOLERANCE = 1e-5
_CACHED = "CC(=O)Oc1ccccc1C(=O)O"
_COMPARED = 60
_WARM = 64


def retort(cluster: Cluster, model: str) -> Server:
    return Server(
        name="retort",
        port=cluster.port,
        path="/api/v1/predictions",
        body=lambda smiles: {"model": model, "inputs": [smiles]},
        item=lambda answer: answer["predictions"][0],
        key=cluster.key,
    )


def told(item: dict[str, Any]) -> dict[str, Any]:
    """Of an answer what must be the same whoever gives it."""
    if item["status"] != "ok":
        return {"status": item["status"]}
    target, domain = item["targets"][TARGET], item["domain"] or {}
    low, high = target["interval"] or (None, None)
    inside, similarity = domain.get("inside"), domain.get("similarity")
    numbers = {"value": target["value"], "low": low, "high": high, "similarity": similarity}
    return {"status": "ok", "inside": inside, **numbers}


def check_same(ours: Server, others: Sequence[Server], smiles: list[str]) -> float:
    """The largest difference. Raises AssertionError when an answer is not the same."""
    expected, worst = [told(item) for item in ours.items(smiles)], 0.0
    for server in others:
        for text, mine, item in zip(smiles, expected, server.items(smiles), strict=True):
            theirs = told(item)
            assert mine.keys() == theirs.keys(), (server.name, text, mine, theirs)
            for name, value in mine.items():
                if isinstance(value, float):
                    worst = max(worst, abs(value - theirs[name]))
                else:
                    assert value == theirs[name], (server.name, text, name, value, theirs[name])
    assert worst <= TOLERANCE, worst
    return worst


def agree(ours: Server, others: Sequence[Server]) -> None:
    """Raises AssertionError when an answer is not the same."""
    compared = list(dict.fromkeys(hiv_smiles(shuffled=True)))[_WARM : _WARM + _COMPARED]
    worst = check_same(ours, others, compared)
    print(f"{_COMPARED} molecules, {1 + len(others)} servers: largest difference {worst:.1e}\n")


def parts(smiles: list[str], count: int) -> Iterator[list[str]]:
    """`count` parts of one size, none of which shares a molecule with another."""
    size = len(smiles) // count
    return (smiles[n * size : (n + 1) * size] for n in range(count))


def alternate(
    servers: Sequence[Server],
    options: argparse.Namespace,
    warm: list[str],
    supply: Iterator[Iterable[str]],
) -> Rounds:
    """Every server with every number of clients in each round, asked for what `supply` gives next;
    the others sleep meanwhile. Each is asked for `warm` first.
    """
    found = Rounds()
    for server in servers:
        server.items(warm)
        server.sleep()
    for _ in range(options.rounds):
        for clients in options.clients:
            part = next(supply)
            for server in servers:
                server.wake()
                requests = map(server.request, part)
                load = drive(server.port, requests, clients=clients, seconds=options.seconds)
                server.sleep()
                found.add(server.name, clients, load)
    return found


def uncached(servers: Sequence[Server], options: argparse.Namespace) -> Rounds:
    """The same molecules for every server in the same round; a round ends with them, or in time."""
    distinct = list(dict.fromkeys(hiv_smiles(shuffled=True)))
    rest = parts(distinct[_WARM + _COMPARED :], options.rounds * len(options.clients))
    return alternate(servers, options, distinct[:_WARM], rest)


def cached(servers: Sequence[Server], options: argparse.Namespace) -> Rounds:
    return alternate(servers, options, [_CACHED] * _WARM, repeat(repeat(_CACHED)))


def measure_uncached(
    cluster: Cluster, ours: Server, model: str, options: argparse.Namespace
) -> Rounds:
    same: list[Server] = []
    with contextlib.ExitStack() as running:
        servers = [ours]
        for name in options.peers:
            for flavour in options.flavours:
                log = cluster.home / f"{name}-{flavour}.log"
                one = peer(name, flavour, cluster.blobs, manifest_key(model), log)
                servers.append(running.enter_context(one))
                if flavour == "bundle":
                    same.append(servers[-1])
        agree(ours, same)
        return uncached(servers, options)


def measure_cached(cluster: Cluster, ours: Server, options: argparse.Namespace) -> Rounds:
    content = orjson.dumps(ours.items([_CACHED])[0])
    with bare_endpoints(cluster.home, content) as bare:
        return cached([ours, *bare.values()], options)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("cached", "uncached"))
    parser.add_argument("--seconds", type=float, default=8.0, help="of one round at most")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="+", default=list(CLIENTS))
    parser.add_argument("--peers", nargs="+", choices=sorted(PEERS), default=sorted(PEERS))
    parser.add_argument(
        "--flavours", nargs="+", choices=("bundle", "plain"), default=["bundle", "plain"]
    )
    parser.add_argument("--write", type=Path, help="the tables, as a file")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] = ()) -> list[Result]:
    options = parse(arguments)
    found = {}
    with embedded() as cluster:
        model = train_esol(
            cluster.client, features=[{"name": "morgan_bits"}], algorithm={"name": "lightgbm"}
        )
        ours = retort(cluster, model)
        wait_until_it_answers(ours)
        if options.only != "uncached":
            found["cached"] = measure_cached(cluster, ours, options)
        if options.only != "cached":
            found["uncached"] = measure_uncached(cluster, ours, model, options)
    text, results = report(found)
    print(text)
    if options.write:
        options.write.write_text(text)
    return results


if __name__ == "__main__":
    sys.exit(finish(main(sys.argv[1:])))
