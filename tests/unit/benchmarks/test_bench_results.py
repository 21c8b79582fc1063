"""What a benchmark makes of its figures, by hand."""

import argparse

from benchmarks import batch, batch_peers, celery_batching, crowd, fairness, side_by_side
from benchmarks.load import Load
from benchmarks.serving_table import Rounds


def short(results):
    return [(one.name, round(one.ratio, 3), one.missed) for one in results]


def test_a_batch_is_judged_cold_and_with_its_features_at_hand():
    """Round by round: the machine was slower in the second."""
    rounds = {"loop": [9.0, 18.0, 9.0], "cold": [10.0, 20.0, 9.0], "warm": [1.5, 2.9, 1.6]}
    results = batch.Figures(rows=10_000, **rounds).results()
    assert short(results) == [("batch.10000.cold", 0.9, True), ("batch.10000.warm", 6.0, False)]
    assert (results[0].ours, results[1].ours) == ("10.0 s, 1,000/s", "1.6 s, 6,250/s")
    assert "9.0 s" in results[0].beside
    (cold, _) = batch.Figures(rows=100_000, **rounds).results()
    assert not cold.missed, "0.90 is its limit"


def test_of_the_peers_of_a_batch_the_slowest_is_the_one_with_a_limit():
    seconds = {
        "retort, maplight": 10.0,
        "retort, morgan": 2.0,
        "chemprop predict": 5.0,
        "admet_predict": 40.0,
    }
    found = [
        batch_peers.Found(name=name, rows=100, whole=[time], start=[1.0])
        for name, time in seconds.items()
    ]
    results = batch_peers.report(found)
    assert short(results) == [
        ("batch_peers.maplight.chemprop", 0.5, False),
        ("batch_peers.maplight.admet_predict", 4.0, False),
        ("batch_peers.morgan.chemprop", 2.5, False),
        ("batch_peers.morgan.admet_predict", 20.0, False),
    ]
    assert [one.limit for one in results] == [None, batch_peers.LIMIT, None, None]
    found[0].whole = [15.0]
    assert [one.missed for one in batch_peers.report(found)] == [False, True, False, False]


def test_the_longest_wait_of_a_small_job_is_told_in_longest_chunks():
    found = fairness.Found(what="w", waits=[1.0, 7.0, 2.0], in_one_line=[50.0], chunk=2.0)
    result = found.result("batch")
    assert short([result]) == [("fairness.batch", 3.5, True)]
    assert result.ours == "waits 2.0 s, at worst 7.0 s"


def test_a_crowd_is_judged_by_its_tail_its_memory_and_any_error():
    seen = crowd.Seen(
        polls=[0.02] * 99 + [0.05],
        submits=[0.07],
        memory={"gateway": [100, 100, 100, 104], "redis": [1, 1, 1, 9]},
    )
    asked = argparse.Namespace(pollers=2, submitters=1, minutes=1.5)
    polls, memory = crowd.report(seen, asked)
    assert short([polls, memory]) == [("crowd.polls", 0.5, False), ("crowd.memory", 1.04, False)]
    assert polls.what.startswith("2 clients that poll each second, 1 that submit predictions, 1.5")
    seen.errors.append("503")
    assert crowd.report(seen, asked)[0].missed


def test_accepting_is_judged_by_its_rate_beside_the_plain_way_and_by_its_tail():
    measured = side_by_side.Measured(
        rates={"plain": 150.0, "retort": 1200.0},
        tails={"plain": 200.0, "retort": 60.0},
        cpu_ms={"plain": 6.0, "retort": 1.2},
    )
    results = side_by_side.report(
        "submit", "jobs accepted", "by hand", measured, limit=4.0, tail_limit_ms=50.0
    )
    assert short(results) == [("submit.rate", 8.0, False), ("submit.p99", 1.2, True)]
    assert results[0].ours == "1,200/s, p99 60 ms, 1.20 ms of CPU each"
    assert results[0].beside == "by hand: 150/s, p99 200 ms, 6.00 ms of CPU each"


def test_celery_with_batching_stands_there_with_its_better_pool():
    rounds = Rounds()
    for server, rate, ms in (
        ("retort", 300, 4),
        ("celery prefork", 200, 8),
        ("celery solo", 150, 5),
    ):
        rounds.add(server, 8, Load(latencies=[ms / 1000] * 100, seconds=100 / rate))
    results = celery_batching.report(rounds)
    assert short(results) == [
        ("celery_batching.8.p50", 0.8, False),
        ("celery_batching.8.requests", 1.5, False),
        ("celery_batching.8.p99", 0.8, False),
    ]
    assert results[1].beside == "Celery, prefork: 200/s"
    assert results[0].figures == {
        "Retort": "4.0 ms",
        "Celery, prefork": "8.0 ms",
        "Celery, solo": "5.0 ms",
    }
