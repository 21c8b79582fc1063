"""Chunks of a file: few, of 2 to 20 seconds, and all workers end together."""

import heapq

import pytest

from app.prediction.chunk_sizes import chunk_sizes


def ends(sizes, cost, workers):
    """When each worker ends, that takes the next chunk when it is free."""
    busy = [0.0] * workers
    for size in sizes:
        heapq.heapreplace(busy, busy[0] + size * cost)
    return busy


@pytest.mark.parametrize("rows", [1, 7, 1_000, 10_000, 41_913, 1_000_000, 20_000_000])
@pytest.mark.parametrize("cost", [2e-5, 1e-3, 0.05, 2.0])
@pytest.mark.parametrize("workers", [1, 2, 16, 300])
def test_at_most_200_chunks_hold_all_rows_and_no_worker_is_idle_long(rows, cost, workers):
    sizes = chunk_sizes(rows, cost, workers)
    assert sum(sizes) == rows
    assert min(sizes) >= 1
    assert len(sizes) <= 160
    total = rows * cost
    if total > 64 * 2 * workers and total < 160 * 20:
        assert all(2 - 1e-9 <= size * cost <= 20 + cost for size in sizes[:-1])
    busy = ends(sizes, cost, workers)
    idle = max(busy) - min(busy)
    # no longer than its shortest chunk, or a row
    assert idle <= max(2.0, total / 160, cost) + cost


@pytest.mark.parametrize("rows", [1, 256, 10_000, 41_913, 1_000_000])
@pytest.mark.parametrize("cost", [2e-5, 1e-3, 0.02])
@pytest.mark.parametrize("workers", [1, 2, 16])
def test_chunks_of_whole_blocks_are_as_few_and_last_a_block_longer_at_most(rows, cost, workers):
    unit = 256
    sizes = chunk_sizes(rows, cost, workers, unit)
    assert sum(sizes) == rows
    assert all(size % unit == 0 for size in sizes[:-1])
    assert len(sizes) <= len(chunk_sizes(rows, cost, workers))
    busy = ends(sizes, cost, workers)
    assert max(busy) - min(busy) <= max(2.0, rows * cost / 160, cost) + unit * cost


def test_a_cheap_file_of_10_000_rows_spreads_over_all_workers():
    for workers in (2, 4, 8):
        sizes = chunk_sizes(10_000, 1e-3, workers)
        busy = ends(sizes, 1e-3, workers)
        assert len(sizes) >= 2 * workers
        assert max(busy) <= 1.01 * 10 / workers


def test_a_dear_file_begins_with_chunks_of_twenty_seconds():
    by_hand = (10_000, 10_000, 10_000, 10_000, 5_000, 2_500, 1_250, 1_250)
    assert chunk_sizes(100_000, 2e-3, 2) == [size for size in by_hand for _ in range(2)]


def test_half_of_what_is_left_becomes_equal_chunks():
    """By hand: 32 s for 2 workers, none shorter than 32 / 64 / 2 s."""
    halves = (8_000, 4_000, 2_000, 1_000, 500, 250, 250)
    assert chunk_sizes(32_000, 1e-3, 2) == [size for size in halves for _ in range(2)]


@pytest.mark.parametrize("rows", [1_000, 9_999, 10_000, 41_913, 100_000])
@pytest.mark.parametrize("cost", [5.5e-5, 3e-4, 3.3e-4, 4e-4])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_all_workers_end_within_a_block_of_each_other(rows, cost, workers):
    """Where rows cost the same; a chunk of its own at the end would be idle time of the others."""
    sizes = chunk_sizes(rows, cost, workers, 256)
    busy = ends(sizes, cost, workers)
    enough = rows * cost > 0.2 * workers
    assert not enough or max(busy) - min(busy) <= 2 * 256 * cost + 1e-9


@pytest.mark.parametrize(
    ("seconds", "workers", "chunks"),
    [(0.1, 2, 1), (0.25, 2, 2), (0.55, 2, 2), (0.25, 1, 1), (0.8, 16, 4), (22, 100, 100)],
)
def test_what_is_soon_done_is_divided_evenly(seconds, workers, chunks):
    sizes = chunk_sizes(10_000, seconds / 10_000, workers)
    assert len(sizes) == chunks
    assert sum(sizes) == 10_000
    assert max(sizes) - min(sizes) <= 1


def test_no_rows_are_no_chunks():
    assert chunk_sizes(0, 1e-3, 2) == []
