"""When a canary goes on, waits, or goes back."""

import numpy as np
import pytest

from app.endpoints.comparison import compare_arms
from app.endpoints.disagreement import Disagreement, compare_pairs, error_of
from app.endpoints.guards import look
from app.endpoints.latency import bucket_of_ms
from app.endpoints.metering import Counts
from app.endpoints.spec import CanarySpec

NOTHING = Counts()


def counts(n, errors=0, milliseconds=(10.0,)):
    found = Counts(requests=n, inputs=n, errors=errors)
    for number in range(n):
        found.latency[bucket_of_ms(milliseconds[number % len(milliseconds)])] += 1
    return found


def verdicts(mine, others=NOTHING, apart=(), **guards):
    spec = CanarySpec(model="m:2", guards={"worse_than_stable": False, **guards})
    return {f.guard: f.verdict for f in look(spec, mine, others, apart)}


@pytest.mark.parametrize(
    ("n", "errors", "expected"),
    [(0, 0, "unclear"), (200, 1, "met"), (200, 6, "unclear"), (200, 40, "broken")],
)
def test_the_error_rate(n, errors, expected):
    assert verdicts(counts(n, errors), error_rate=0.02) == {"error_rate": expected}


def test_the_other_arms_errors():
    stable = counts(2_000, 20)
    assert (
        verdicts(counts(200, 60), stable, worse_than_stable=True)["worse_than_stable"] == "broken"
    )
    assert verdicts(counts(200, 4), stable, worse_than_stable=True)["worse_than_stable"] == "met"
    assert verdicts(counts(200, 60), worse_than_stable=True)["worse_than_stable"] == "met"


@pytest.mark.parametrize(
    ("times", "expected"),
    [((10.0,), "met"), ((10.0,) * 9 + (500.0,), "unclear"), ((10.0, 500.0), "broken")],
)
def test_the_percentile_of_latency(times, expected):
    assert verdicts(counts(100, 0, times), p95_ms=100) == {"p95_ms": expected}


def test_the_percentile_beside_the_others():
    slow, stable = counts(200, 0, (40.0,)), counts(1_000, 0, (10.0,))
    assert verdicts(slow, stable, p95_ratio=1.5) == {"p95_ratio": "broken"}
    assert verdicts(slow, stable, p95_ratio=6) == {"p95_ratio": "met"}
    assert verdicts(slow, counts(20, 0, (10.0,)), p95_ratio=1.5) == {"p95_ratio": "unclear"}
    assert verdicts(slow, p95_ratio=1.5) == {"p95_ratio": "met"}


def some_cached(n, computed, *milliseconds):
    """Of `n` requests the cache knew all but `computed`."""
    found = counts(computed, 0, milliseconds)
    found.requests = found.inputs = n
    found.cached = n - computed
    return found


def test_what_came_from_the_cache_has_no_percentile():
    slow = counts(200, 0, (40.0,))
    # one in ten of the others was computed: 10 ms each, whatever the cache took
    assert verdicts(slow, some_cached(2_000, 200, 10.0), p95_ratio=6) == {"p95_ratio": "met"}
    assert verdicts(slow, some_cached(2_000, 200, 10.0), p95_ratio=1.5) == {"p95_ratio": "broken"}
    assert verdicts(slow, some_cached(2_000, 199, 10.0), p95_ratio=1.5) == {"p95_ratio": "unclear"}
    assert verdicts(slow, some_cached(2_000, 0, 10.0), p95_ratio=1.5) == {"p95_ratio": "met"}
    # nothing that it was asked took any time: no reason to wait for ever
    asked = some_cached(200, 0, 10.0)
    assert verdicts(asked, slow, p95_ms=50, p95_ratio=2) == {"p95_ms": "met", "p95_ratio": "met"}
    assert verdicts(NOTHING, slow, p95_ms=50) == {"p95_ms": "unclear"}


def test_the_cache_makes_no_latency_differ():
    """An arm with a full cache beside one with an empty one, each computing in 5 or in 10 ms."""
    old, new = some_cached(1_000, 100, 5.0, 6.0), some_cached(1_000, 500, 5.0, 6.0)
    found = compare_arms(old, new)["latency_ratio"]
    assert found["value"] == pytest.approx(1)
    assert (found["n"], found["is_real"]) == ([100, 500], False)
    found = compare_arms(old, some_cached(1_000, 500, 10.0, 12.0))["latency_ratio"]
    assert found["value"] == pytest.approx(2, rel=0.16)
    assert found["is_real"]


def test_disagreement():
    def numbers(mean):
        values = np.abs(np.random.default_rng(0).normal(mean, 0.1, 400)).tolist()
        return [Disagreement(target="y", is_class=False, differences=values)]

    def classes(n_other):
        values = [1.0] * n_other + [0.0] * (400 - n_other)
        return [Disagreement(target="c", is_class=True, differences=values)]

    assert verdicts(counts(9), disagreement=0.5) == {"disagreement": "unclear"}
    assert verdicts(counts(9), NOTHING, numbers(0.2), disagreement=0.5) == {"disagreement": "met"}
    assert verdicts(counts(9), NOTHING, numbers(1), disagreement=0.5) == {"disagreement": "broken"}
    assert verdicts(counts(9), NOTHING, classes(10), disagreement=0.1) == {"disagreement": "met"}
    found = verdicts(counts(9), NOTHING, classes(150), disagreement=0.1)
    assert found == {"disagreement": "broken"}


@pytest.mark.req("goal-74")
def test_a_good_canary_is_rarely_taken_back_though_it_is_looked_at_all_the_time():
    rng, runs, back = np.random.default_rng(1), 100, 0
    spec = CanarySpec(model="m:2", steps=[50, 100], guards={"error_rate": 0.02, "p95_ms": 20})
    for _ in range(runs):
        mine, others = Counts(), Counts()
        for _ in range(30):
            for arm in (mine, others):
                arm.requests += 20
                arm.errors += int(rng.binomial(20, 0.02))
                slow = int(rng.binomial(20, 0.05))
                arm.latency[bucket_of_ms(30)] += slow
                arm.latency[bucket_of_ms(5)] += 20 - slow
            if any(f.verdict == "broken" for f in look(spec, mine, others, ())):
                back += 1
                break
    assert back / runs <= 0.05


def test_answers_are_compared_target_by_target():
    def item(y, word=None):
        targets = {"y": {"value": y}} | ({"c": {"class": word, "value": 0.9}} if word else {})
        return {"status": "ok", "targets": targets}

    pairs = [(item(1.0, "a"), item(1.5, "b")), (item(2.0, "a"), item(2.0, "a")), (item(1), {})]
    found = {d.target: d for d in compare_pairs([*pairs, (None, item(1)), (item(None), item(1))])}
    assert found["y"].value == pytest.approx(0.25)
    assert found["c"].value == 0.5
    assert len(found["y"].differences) == 2
    assert error_of(item(1.0), "y", number=1.25, label=None) == 0.25
    assert error_of(item(1.0, "a"), "c", number=None, label="b") == 1.0
    assert error_of(item(1.0, "a"), "c", number=3.0, label=None) is None
    assert error_of(item(1.0), "z", number=3.0, label=None) is None
