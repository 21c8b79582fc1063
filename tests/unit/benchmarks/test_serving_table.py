"""The verdicts of the serving benchmark, on rounds whose figures are known."""

import math

from benchmarks.load import Load
from benchmarks.serving_table import Rounds, report


def load(rate: float, p50: float, p99: float) -> Load:
    """A second in which 98 of 100 answers took `p50` ms and two `p99`; scaled to `rate`."""
    latencies = [p50 / 1000] * 98 + [p99 / 1000] * 2
    return Load(latencies=latencies, seconds=100 / rate)


def uncached(**ours: tuple[float, float, float]) -> Rounds:
    rounds = Rounds()
    for clients in (1, 8):
        rounds.add("retort", clients, load(*ours["one" if clients == 1 else "eight"]))
        rounds.add("litserve bundle", clients, load(400, 2.0, 9.0))
        rounds.add("bentoml bundle", clients, load(300, 3.0, 8.0))
        # by hand it is quicker, and has no limit
        rounds.add("litserve plain", clients, load(9000, 0.1, 0.2))
    return rounds


def verdict(one: tuple[float, float, float], eight: tuple[float, float, float]) -> list[str]:
    text, missed = report({"uncached": uncached(one=one, eight=eight)})
    rows = [line.split("|")[1].strip() for line in text.splitlines() if "**missed**" in line]
    assert missed == bool(rows)
    return rows


def test_nothing_is_missed_by_who_is_better_than_the_better_peer() -> None:
    assert verdict((400, 2.0, 99.0), (600, 5.0, 8.0)) == []


def test_one_client_is_judged_by_the_median_of_the_quicker_peer() -> None:
    assert verdict((999, 2.1, 1.0), (600, 5.0, 8.0)) == ["uncached, one client: p50"]


def test_many_clients_are_judged_by_rate_and_tail_of_the_better_peer_in_each() -> None:
    found = verdict((400, 2.0, 9.0), (599, 0.1, 8.1))
    assert found == ["uncached, 8 clients: p99", "uncached, 8 clients: requests/s"]


def test_the_cached_answer_is_judged_at_one_client_beside_the_asynchronous_endpoint() -> None:
    rounds = Rounds()
    for server, p50 in (("retort", 1.7), ("bare Redis async", 1.0), ("bare Redis threaded", 0.5)):
        rounds.add(server, 1, load(500, p50, p50))
    text, missed = report({"cached": rounds})
    assert missed
    assert text.count("**missed**") == 1
    assert "| bare Redis async: 1.00 ms | **1.70** | at most 1.6 **missed** |" in text


def test_a_refused_request_of_ours_is_a_miss_whatever_the_ratios_say() -> None:
    rounds = uncached(one=(400, 2.0, 9.0), eight=(600, 5.0, 8.0))
    rounds.add("retort", 8, Load(latencies=[0.001], seconds=0.001, refusals=1, refused=[b"503"]))
    assert report({"uncached": rounds})[1]


def test_a_round_without_an_answer_is_infinitely_slow() -> None:
    assert Load(seconds=1.0).milliseconds(0.5) == math.inf
