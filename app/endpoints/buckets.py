"""Which keys belong to which arm: 10,000 buckets, handed from arm to arm as few as possible.

A revision keeps the buckets of the one before and moves only as many as the new weights ask for,
which is the least that any assignment could move. So a key changes its arm only when its bucket had
to move; what a canary gains comes from the others, and its next step takes nothing back.
"""

import heapq
from collections.abc import Mapping, Sequence

BUCKETS = 10_000

#: [(arm, first bucket, behind the last)], ascending, without gaps
Ranges = Sequence[tuple[str, int, int]]


def apportion(weights: Mapping[str, float], seats: int) -> dict[str, int]:
    """`seats` by weights, after Webster (Sainte-Lague): exact where the quotas are whole, and with
    fewer seats no arm gets more, so that a growing canary takes and never shuffles.
    """
    got = dict.fromkeys(weights, 0)
    waiting = [(-weight, arm) for arm, weight in weights.items() if weight > 0]
    heapq.heapify(waiting)
    for _ in range(seats):
        _, arm = waiting[0]
        got[arm] += 1
        heapq.heapreplace(waiting, (-weights[arm] / (2 * got[arm] + 1), arm))
    return got


def reassign(before: Ranges, wanted: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """`wanted`: buckets of each arm, BUCKETS in all. Moves as few buckets as possible."""
    owners = _owners(before)
    surplus = {
        arm: owners.count(arm) - wanted.get(arm, 0) for arm in set(owners) if arm is not None
    }
    for bucket in reversed(range(BUCKETS)):
        arm = owners[bucket]
        if arm is not None and surplus[arm] > 0:
            surplus[arm] -= 1
            owners[bucket] = None
    missing = {arm: count - owners.count(arm) for arm, count in wanted.items()}
    fill = (arm for arm, count in missing.items() for _ in range(count))
    return _ranges([next(fill) if arm is None else arm for arm in owners])


def table_of(ranges: Ranges, order: Sequence[str]) -> bytes:
    """For each bucket the place of its arm in `order`."""
    table = bytearray(BUCKETS)
    for arm, first, behind in ranges:
        table[first:behind] = bytes([order.index(arm)]) * (behind - first)
    return bytes(table)


def _owners(ranges: Ranges) -> list[str | None]:
    owners: list[str | None] = [None] * BUCKETS
    for arm, first, behind in ranges:
        owners[first:behind] = [arm] * (behind - first)
    return owners


def _ranges(owners: Sequence[str]) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    for bucket, arm in enumerate(owners):
        if found and found[-1][0] == arm:
            found[-1] = (arm, found[-1][1], bucket + 1)
        else:
            found.append((arm, bucket, bucket + 1))
    return found
