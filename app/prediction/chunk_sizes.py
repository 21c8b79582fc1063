"""How a file is divided: large chunks first, ever smaller ones, so that all workers end together.

Guided self-scheduling (Polychronopoulos & Kuck 1987, IEEE Trans. Comput. 36, 1425): each chunk is a
share of what is left, between two bounds of time.
"""

import math

#: seconds of a chunk: longer ones cost too much when they are lost, shorter ones too many messages
LONGEST, SHORTEST = 20.0, 2.0
#: of a small file they are shorter, so that each worker gets about so many
_EACH = 16
#: but never than this: below it a chunk is only message and claim
_WORTH = 0.25
#: each chunk is this part of a worker's share of what is left
_PART = 2
#: of the 200 headers that a chord may have; the rest is for parts that are cut by weight
_MOST_CHUNKS = 160


def chunk_sizes(rows: int, seconds_per_row: float, workers: int, unit: int = 1) -> list[int]:
    """Rows of each chunk, in order; at most _MOST_CHUNKS + 1 of them, together `rows`. All but the
    last are multiples of `unit`, for which a chunk may take longer, by so many rows at most.
    """
    if not rows:
        return []
    cost, workers = max(seconds_per_row, 1e-7), max(workers, 1)
    total = rows * cost
    least = min(SHORTEST, max(_WORTH, total / (_EACH * workers)))
    least = max(least, total / _MOST_CHUNKS)
    if least <= _WORTH and total < 2 * workers * _WORTH:
        return _equal(rows, _few(total, workers), unit)
    sizes: list[int] = []
    left = rows
    while left:
        share = left * cost / (_PART * workers)
        seconds = max(least, min(LONGEST, share))
        size = min(left, unit * max(1, math.ceil(seconds / cost / unit)))
        sizes.append(size)
        left -= size
    return sizes


def _few(seconds: float, workers: int) -> int:
    """Chunks of what is too little to even out how unequal they are: one or two for each worker,
    fewer where there is not enough for all.
    """
    each = seconds / (workers * _WORTH)
    chunks = math.ceil(seconds / _WORTH) if each < 1 else workers * round(each)
    return min(chunks, _MOST_CHUNKS)


def _equal(rows: int, chunks: int, unit: int) -> list[int]:
    """At most so many; the last has fewer rows where they cannot be equal."""
    size = unit * math.ceil(rows / chunks / unit)
    return [min(size, rows - start) for start in range(0, rows, size)]
