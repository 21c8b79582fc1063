"""How a file is divided: large chunks first, ever smaller ones, so that all workers end together.

Factoring (Hummel, Schonberg & Flynn 1992, Commun. ACM 35(8), 90): half of what is left becomes as
many equal chunks as there are workers, then half of the rest, until each worker has one more. Each
chunk lies between two bounds of time.
"""

import math
from itertools import pairwise

#: seconds of a chunk: longer ones cost too much when they are lost, shorter ones too many messages
LONGEST, SHORTEST = 20.0, 2.0
#: of a small file they are shorter: this part of what each worker has to do
_LEAST_PART = 1 / 64
#: but never than this: below it a chunk is only message and claim
_WORTH = 0.2
#: of the 200 headers that a chord may have; the rest is for parts that are cut by weight
_MOST_CHUNKS = 160


def chunk_sizes(rows: int, seconds_per_row: float, workers: int, unit: int = 1) -> list[int]:
    """Rows of each chunk, in order; at most _MOST_CHUNKS of them, together `rows`. All but the last
    are multiples of `unit`, for which a chunk may take longer, by so many rows at most.
    """
    cost, workers = max(seconds_per_row, 1e-7), max(workers, 1)
    total = rows * cost
    least = min(SHORTEST, max(_WORTH, total * _LEAST_PART / workers))
    least = max(least, total / _MOST_CHUNKS)
    sizes: list[int] = []
    left = rows
    while left * cost >= 2 * workers * least:
        seconds = min(left * cost / (2 * workers), max(LONGEST, least))
        size = unit * math.ceil(seconds / cost / unit)
        given = min(left, workers * size)
        sizes += [min(size, given - start) for start in range(0, given, size)]
        left -= given
    return sizes + _evenly(left, min(workers, math.ceil(left * cost / least)), unit)


def _evenly(rows: int, chunks: int, unit: int) -> list[int]:
    """Sizes that differ by one `unit` at most; fewer where there are not so many units."""
    units = math.ceil(rows / unit)
    chunks = min(chunks, units)
    ends = [min(rows, unit * (units * number // chunks)) for number in range(1, chunks + 1)]
    return [stop - start for start, stop in pairwise([0, *ends])]
