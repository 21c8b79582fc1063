"""Latencies as counts in fixed logarithmic buckets: they add up over gateways and minutes.

Neighbouring bounds differ by 15 %, so a quantile read from the counts is within 8 % of the true
one (the geometric middle of its bucket), for everything between 0.05 ms and 2 minutes.
"""

import math
from collections.abc import Sequence

_LOWEST_MS = 0.05
_GROWTH = 1.15
_HIGHEST_MS = 120_000.0
_SCALE = 1 / math.log(_GROWTH)
#: the first bucket holds everything below _LOWEST_MS, the last everything above
N_BUCKETS = math.ceil(math.log(_HIGHEST_MS / _LOWEST_MS) * _SCALE) + 2


def bucket_of_ms(milliseconds: float) -> int:
    if milliseconds <= _LOWEST_MS:
        return 0
    return min(int(math.log(milliseconds / _LOWEST_MS) * _SCALE) + 1, N_BUCKETS - 1)


def lower_ms(bucket: int) -> float:
    """What everything in the bucket is above."""
    return 0.0 if bucket == 0 else _LOWEST_MS * _GROWTH ** (bucket - 1)


def middle_ms(bucket: int) -> float:
    """Geometric middle; of the first bucket its upper bound, of the last its lower one."""
    if bucket == 0:
        return _LOWEST_MS
    return lower_ms(bucket) * (_GROWTH**0.5 if bucket < N_BUCKETS - 1 else 1.0)


def quantile_ms(counts: Sequence[int], share: float) -> float | None:
    """`share`: 0.95 for the 95th percentile; None without requests."""
    total = sum(counts)
    if total == 0:
        return None
    rank, seen = max(1, math.ceil(share * total)), 0
    for bucket, count in enumerate(counts):
        seen += count
        if seen >= rank:
            return middle_ms(bucket)
    raise AssertionError("unreachable: the counts add up to the total")


def above(counts: Sequence[int], milliseconds: float) -> int:
    """How many took longer for certain: those in buckets that begin at the limit or above it."""
    first = bucket_of_ms(milliseconds) + 1
    return sum(counts[first:])


def log_moments(counts: Sequence[int]) -> tuple[int, float, float]:
    """(n, mean, variance) of the natural logarithm of the milliseconds, n-1 in the variance."""
    n = sum(counts)
    if n == 0:
        return 0, 0.0, 0.0
    logs = [math.log(middle_ms(bucket)) for bucket in range(N_BUCKETS)]
    mean = sum(c * x for c, x in zip(counts, logs, strict=True)) / n
    if n == 1:
        return 1, mean, 0.0
    squares = sum(c * (x - mean) ** 2 for c, x in zip(counts, logs, strict=True))
    return n, mean, squares / (n - 1)
