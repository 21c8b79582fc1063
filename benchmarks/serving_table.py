"""What the rounds of benchmarks/serving.py say: ratios and their limits first, then all figures."""

import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.load import Load

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


@dataclass(frozen=True, kw_only=True)
class Ratio:
    what: str
    ours: str
    beside: str
    ratio: float
    #: at most, or at least; None: shown only
    limit: float | None = None
    at_least: bool = False

    @property
    def missed(self) -> bool:
        if self.limit is None:
            return False
        return self.ratio < self.limit if self.at_least else self.ratio > self.limit

    def row(self) -> str:
        sign = "at least" if self.at_least else "at most"
        limit = "shown only" if self.limit is None else f"{sign} {self.limit:g}"
        verdict = " **missed**" if self.missed else ""
        figures = f"{self.ours} | {self.beside} | **{self.ratio:.2f}**"
        return f"| {self.what} | {figures} | {limit}{verdict} |"


def report(found: Mapping[str, Rounds]) -> tuple[str, bool]:
    """The Markdown, and whether a limit was missed or a request of ours refused."""
    ratios: list[Ratio] = []
    if "cached" in found:
        ratios += _cached(found["cached"])
    if "uncached" in found:
        ratios += _uncached(found["uncached"])
    lines = ["| what | ours | beside it | ratio | limit |", "|---|---|---|---|---|"]
    lines += [ratio.row() for ratio in ratios]
    for kind, rounds in found.items():
        lines += ["", *_figures(kind, rounds)]
    refused = any(rounds.refusals("retort") for rounds in found.values())
    return "\n".join(lines) + "\n", refused or any(ratio.missed for ratio in ratios)


def _cached(rounds: Rounds) -> Iterator[Ratio]:
    for server in rounds.servers[1:]:
        for clients in rounds.clients:
            ours, bare = rounds.ms("retort", clients, 0.5), rounds.ms(server, clients, 0.5)
            limited = server == "bare Redis async" and clients == 1
            yield Ratio(
                what=f"cached, {_clients(clients)}: p50",
                ours=f"{ours:.2f} ms",
                beside=f"{server}: {bare:.2f} ms",
                ratio=ours / bare,
                limit=CACHED_P50 if limited else None,
            )


def _uncached(rounds: Rounds) -> Iterator[Ratio]:
    for flavour in ("bundle", "plain"):
        peers = [name for name in rounds.servers if name.endswith(f" {flavour}")]
        if peers:
            for clients in rounds.clients:
                yield from _against(rounds, peers, clients, limited=flavour == "bundle")


def _against(rounds: Rounds, peers: list[str], clients: int, *, limited: bool) -> Iterator[Ratio]:
    """Beside the better of `peers`, which may be one by its median and another by its tail."""
    for share, most in ((0.5, UNCACHED_P50), (0.99, UNCACHED_P99)):
        best = min(peers, key=lambda name: rounds.ms(name, clients, share))
        ours, theirs = rounds.ms("retort", clients, share), rounds.ms(best, clients, share)
        asked = limited and (clients == 1) == (share == 0.5)
        yield Ratio(
            what=f"uncached, {_clients(clients)}: p{100 * share:.0f}",
            ours=f"{ours:.2f} ms",
            beside=f"{best}: {theirs:.2f} ms",
            ratio=ours / theirs,
            limit=most if asked else None,
        )
    fastest = max(peers, key=lambda name: rounds.rate(name, clients))
    ours, theirs = rounds.rate("retort", clients), rounds.rate(fastest, clients)
    yield Ratio(
        what=f"uncached, {_clients(clients)}: requests/s",
        ours=f"{ours:.0f}",
        beside=f"{fastest}: {theirs:.0f}",
        ratio=ours / theirs,
        limit=UNCACHED_RATE if limited and clients > 1 else None,
        at_least=True,
    )


def _figures(kind: str, rounds: Rounds) -> Iterator[str]:
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


def _clients(number: int) -> str:
    return "one client" if number == 1 else f"{number} clients"
