"""Counts that add up, and quantiles within a tenth."""

import threading
import timeit
from uuid import UUID

import numpy as np
import pytest

from app.endpoints import latency
from app.endpoints.metering import Meter

ENDPOINT, MODEL = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize("scale", [0.2, 3.0, 80.0, 4000.0])
def test_quantiles_are_within_a_tenth(scale):
    times = np.random.default_rng(0).lognormal(np.log(scale), 1.0, 20_000)
    counts = [0] * latency.N_BUCKETS
    for milliseconds in times:
        counts[latency.bucket_of_ms(milliseconds)] += 1
    for share in (0.5, 0.95, 0.99):
        true = float(np.quantile(times, share, method="inverted_cdf"))
        assert latency.quantile_ms(counts, share) == pytest.approx(true, rel=0.1)
    n, mean, variance = latency.log_moments(counts)
    assert n == 20_000
    assert mean == pytest.approx(np.log(times).mean(), abs=0.08)
    # below the lowest bound all times count as the bound
    seen = np.log(np.maximum(times, latency._LOWEST_MS))
    assert variance == pytest.approx(seen.var(), rel=0.05)


@pytest.mark.parametrize("milliseconds", [0.0, 0.05, 0.051, 1.0, 123_000.0, 1e9])
def test_every_time_has_a_bucket_that_holds_it(milliseconds):
    bucket = latency.bucket_of_ms(milliseconds)
    assert 0 <= bucket < latency.N_BUCKETS
    assert latency.lower_ms(bucket) <= milliseconds * (1 + 1e-9)
    if bucket + 1 < latency.N_BUCKETS:
        assert milliseconds <= latency.lower_ms(bucket + 1) * (1 + 1e-9)


def test_what_is_above_a_limit_is_counted_only_when_certain():
    counts = [0] * latency.N_BUCKETS
    for milliseconds in (1, 99, 101, 200, 300):
        counts[latency.bucket_of_ms(milliseconds)] += 1
    assert latency.above(counts, 100) in (2, 3)
    assert latency.above(counts, 1e9) == 0
    assert latency.quantile_ms([0] * latency.N_BUCKETS, 0.5) is None


class Rows:
    """A database that only remembers what was executed, or refuses."""

    def __init__(self, troubles=0):
        self.rows, self.troubles = [], troubles

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def executemany(self, _, rows):
        if self.troubles:
            self.troubles -= 1
            raise OSError("away")
        self.rows += rows


def test_threads_lose_nothing_and_a_failed_flush_neither():
    meter, rows = Meter(seconds=lambda: 120.0), Rows(troubles=1)

    def observe():
        for n in range(2_000):
            meter.observe(ENDPOINT, 1, MODEL, "live", milliseconds=1, error=n % 10 == 0)

    threads = [threading.Thread(target=observe) for _ in range(4)]
    for thread in threads:
        thread.start()
    with pytest.raises(OSError, match="away"):
        meter.flush(rows)
    for thread in threads:
        thread.join()
    assert meter.flush(rows) == 1
    assert meter.flush(rows) == 0
    ((endpoint, revision, model, mode, minute, requests, inputs, errors, *_, counts),) = rows.rows
    assert (endpoint, revision, model, mode) == (ENDPOINT, 1, MODEL, "live")
    assert minute.timestamp() == 120
    assert (requests, inputs, errors, sum(counts)) == (8_000, 8_000, 800, 8_000)


def test_what_the_cache_knew_has_no_place_among_the_latencies():
    meter, rows = Meter(seconds=lambda: 60.0), Rows()
    for milliseconds, cached in ((0.2, 2), (0.3, 1), (40.0, 0)):
        meter.observe(
            ENDPOINT, 1, MODEL, "live", milliseconds=milliseconds, inputs=2, cached=cached
        )
    assert meter.flush(rows) == 1
    ((*_, requests, inputs, errors, refused, cached, out_of_domain, fallbacks, counts),) = rows.rows
    assert (requests, inputs, cached) == (3, 6, 3)
    assert (errors, refused, out_of_domain, fallbacks) == (0, 0, 0, 0)
    assert {bucket: n for bucket, n in enumerate(counts) if n} == {latency.bucket_of_ms(40.0): 1}


def test_an_observation_costs_microseconds():
    meter = Meter()
    times = timeit.repeat(
        lambda: meter.observe(ENDPOINT, 1, MODEL, "live", milliseconds=3.0), number=500, repeat=30
    )
    assert min(times) / 500 < 20e-6
