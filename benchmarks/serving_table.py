"""What the rounds of benchmarks/serving.py say: ratios and their limits first, then all figures."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence

from benchmarks.load import Load
from benchmarks.records import Result, table

#: cached p50 over the bare Redis endpoint's, one client
CACHED_P50 = 1.6
#: uncached p50 over the better peer's, one client
UNCACHED_P50 = 1.0
#: uncached requests/s over those of the better peer, more clients
UNCACHED_RATE = 1.5
#: uncached p99 over that of the better peer, more clients
UNCACHED_P99 = 1.0


class Rounds:
    """Loads by server and number of clients."""

    def __init__(self) -> None:
        self._loads: dict[tuple[str, int], list[Load]] = {}

    def add(self, server: str, clients: int, load: Load) -> None:
        if load.refusals:
            print(f"{server}, {clients} clients: {load.refusals} refused, e.g. {load.refused[0]!r}")
        self._loads.setdefault((server, clients), []).append(load)

    @property
    def servers(self) -> list[str]:
        return list(dict.fromkeys(server for server, _ in self._loads))

    @property
    def clients(self) -> list[int]:
        return list(dict.fromkeys(clients for _, clients in self._loads))

    def median(self, server: str, clients: int, figure: Callable[[Load], float]) -> float:
        return statistics.median(figure(load) for load in self._loads[server, clients])

    def rate(self, server: str, clients: int) -> float:
        """Answers per second."""
        return self.median(server, clients, lambda load: load.rate)

    def ms(self, server: str, clients: int, share: float) -> float:
        """The median of the rounds' latencies that `share` of the answers did not exceed."""
        return self.median(server, clients, lambda load: load.milliseconds(share))

    def refusals(self, server: str) -> int:
        return sum(
            load.refusals
            for (name, _), loads in self._loads.items()
            for load in loads
            if name == server
        )

    def answers(self, server: str, clients: int) -> int:
        return sum(len(load.latencies) for load in self._loads[server, clients])


def report(found: Mapping[str, Rounds]) -> tuple[str, list[Result]]:
    """The Markdown, and what of it is kept: all that is known already, and what has a limit."""
    cached = list(_cached(found["cached"])) if "cached" in found else []
    uncached = list(_uncached(found["uncached"])) if "uncached" in found else []
    lines = [table([*cached, *uncached])]
    for kind, rounds in found.items():
        lines += ["", *figures_of(kind, rounds)]
    return "\n".join(lines) + "\n", [*cached, *(one for one in uncached if one.limit is not None)]


def _cached(rounds: Rounds) -> Iterator[Result]:
    for server in rounds.servers[1:]:
        for clients in rounds.clients:
            way = server.rpartition(" ")[2]
            limited = way == "async" and clients == 1
            ours, bare = (rounds.ms(name, clients, 0.5) for name in ("retort", server))
            rates = [f"{rounds.rate(name, clients):,.0f}/s" for name in ("retort", server)]
            yield Result(
                name=f"serving.cached.{way}.{clients}",
                what=f"a known prediction, {clients_word(clients)}, p50",
                ours=f"{ours:.2f} ms, {rates[0]}",
                beside=f"{_BARE.get(way, server)}: {bare:.2f} ms, {rates[1]}",
                ratio=ours / bare,
                limit=CACHED_P50 if limited else None,
                fault=refused(rounds),
            )


_BARE = {
    "async": "a FastAPI route that reads one Redis key",
    "threaded": "the same route through the threadpool",
}


def _uncached(rounds: Rounds) -> Iterator[Result]:
    for flavour in ("bundle", "plain"):
        peers = [name for name in rounds.servers if name.endswith(f" {flavour}")]
        if peers:
            for clients in rounds.clients:
                limits = _LIMITS["one" if clients == 1 else "more"] if flavour == "bundle" else {}
                name = "serving.uncached" if flavour == "bundle" else "serving.plain"
                yield from against(rounds, peers, clients, name=name, limits=limits)


_LIMITS = {
    "one": {"p50": UNCACHED_P50},
    "more": {"requests/s": UNCACHED_RATE, "p99": UNCACHED_P99},
}


def against(
    rounds: Rounds, peers: Sequence[str], clients: int, *, name: str, limits: Mapping[str, float]
) -> Iterator[Result]:
    """Beside the better of `peers`, which may be one by its median and another by its tail."""
    for figure, value, unit in (
        ("p50", lambda server: rounds.ms(server, clients, 0.5), " ms"),
        ("requests/s", lambda server: rounds.rate(server, clients), "/s"),
        ("p99", lambda server: rounds.ms(server, clients, 0.99), " ms"),
    ):
        more_is_better = figure == "requests/s"
        best = (max if more_is_better else min)(peers, key=value)
        shown = {
            server_word(server): f"{value(server):{',.0f' if more_is_better else '.1f'}}{unit}"
            for server in rounds.servers
        }
        yield Result(
            name=f"{name}.{clients}.{figure.partition('/')[0]}",
            what=f"{clients_word(clients)}, {figure}",
            ours=shown[server_word("retort")],
            beside=f"{server_word(best)}: {shown[server_word(best)]}",
            ratio=value("retort") / value(best),
            limit=limits.get(figure),
            at_least=more_is_better,
            fault=refused(rounds),
            figures=shown,
        )


def refused(rounds: Rounds) -> str:
    """Of ours; empty: none."""
    number = rounds.refusals("retort")
    return f"{number} refused" if number else ""


def figures_of(kind: str, rounds: Rounds) -> Iterator[str]:
    """All figures, as Markdown."""
    yield f"| {kind} | clients | requests/s | p50 | p95 | p99 | answers | refused |"
    yield "|---|---|---|---|---|---|---|---|"
    for clients in rounds.clients:
        for server in rounds.servers:
            shares = " | ".join(
                f"{rounds.ms(server, clients, s):.2f} ms" for s in (0.5, 0.95, 0.99)
            )
            rate, answers = rounds.rate(server, clients), rounds.answers(server, clients)
            refused = rounds.refusals(server)
            yield f"| {server} | {clients} | {rate:.0f} | {shares} | {answers} | {refused} |"


def clients_word(number: int) -> str:
    return "one client" if number == 1 else f"{number} clients"


def server_word(name: str) -> str:
    """`litserve bundle` as its own people write it: LitServe, bundle."""
    first, _, flavour = name.partition(" ")
    known = {"retort": "Retort", "litserve": "LitServe", "bentoml": "BentoML", "celery": "Celery"}
    return f"{known.get(first, first)}, {flavour}" if flavour else known.get(first, first)
