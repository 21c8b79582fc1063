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
    text, results = report({"uncached": uncached(one=one, eight=eight)})
    rows = [line.split("|")[3].strip() for line in text.splitlines() if "**missed**" in line]
    assert [result.what for result in results if result.missed] == rows
    return rows


def test_nothing_is_missed_by_who_is_better_than_the_better_peer() -> None:
    assert verdict((400, 2.0, 99.0), (600, 5.0, 8.0)) == []


def test_one_client_is_judged_by_the_median_of_the_quicker_peer() -> None:
    assert verdict((999, 2.1, 1.0), (600, 5.0, 8.0)) == ["one client, p50"]


def test_many_clients_are_judged_by_rate_and_tail_of_the_better_peer_in_each() -> None:
    found = verdict((400, 2.0, 9.0), (599, 0.1, 8.1))
    assert found == ["8 clients, requests/s", "8 clients, p99"]


def test_the_cached_answer_is_judged_at_one_client_beside_the_asynchronous_endpoint() -> None:
    rounds = Rounds()
    for server, p50 in (("retort", 1.7), ("bare Redis async", 1.0), ("bare Redis threaded", 0.5)):
        rounds.add(server, 1, load(500, p50, p50))
    text, results = report({"cached": rounds})
    assert [result.missed for result in results] == [True, False]
    assert text.count("**missed**") == 1
    assert "| **1.70** | at most 1.6 **missed** | a known prediction, one client, p50 |" in text
    assert "a FastAPI route that reads one Redis key: 1.00 ms, 500/s |" in text


def test_a_refused_request_of_ours_is_a_miss_whatever_the_ratios_say() -> None:
    rounds = uncached(one=(400, 2.0, 9.0), eight=(600, 5.0, 8.0))
    rounds.add("retort", 8, Load(latencies=[0.001], seconds=0.001, refusals=1, refused=[b"503"]))
    text, results = report({"uncached": rounds})
    assert all(result.missed for result in results)
    assert "**missed**: 1 refused" in text


def test_what_is_kept_has_a_limit_and_every_servers_figure() -> None:
    _, results = report({"uncached": uncached(one=(400, 1.0, 2.0), eight=(800, 5.0, 6.0))})
    assert [(one.name, round(one.ratio, 4)) for one in results] == [
        ("serving.uncached.1.p50", 0.5),
        ("serving.uncached.8.requests", 2.0),
        ("serving.uncached.8.p99", 0.75),
    ]
    assert results[2].figures == {
        "Retort": "6.0 ms",
        "LitServe, bundle": "9.0 ms",
        "BentoML, bundle": "8.0 ms",
        "LitServe, plain": "0.2 ms",
    }


def test_a_round_without_an_answer_is_infinitely_slow() -> None:
    assert Load(seconds=1.0).milliseconds(0.5) == math.inf
