"""Identifiers: UUIDv7 (RFC 9562), so that an index on ids is in order of creation."""

import os
import threading
import time
from datetime import datetime, timedelta
from uuid import UUID

__all__ = ["UUID", "first_id", "new_id"]

_COUNTER_BITS = 42
_MOST_MILLISECONDS = (1 << 48) - 1


class _Clock:
    """Milliseconds and a counter within them, never twice the same, never backwards.

    Section 6.2, method 1 of RFC 9562, laid out as by `uuid.uuid7` of Python 3.14: 48 bits of time,
    42 of counter, 32 at random. The time is that of the clock however many are made in one
    millisecond; a counter of fewer bits, or none, would have to borrow from the future, and then
    no range of ids would be a range of time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = -1
        self._counter = 0

    def tick(self) -> tuple[int, int, int]:
        """Time in ms, counter, and 32 random bits."""
        noise = int.from_bytes(os.urandom(10), "big")
        with self._lock:
            now = time.time_ns() // 1_000_000
            if now > self._milliseconds:
                # its highest bit is kept free: there is room for 2^41 in this millisecond
                self._milliseconds, self._counter = now, (noise >> 32) & ((1 << 41) - 1)
            else:
                self._counter += 1
                if self._counter >> _COUNTER_BITS:
                    self._milliseconds, self._counter = self._milliseconds + 1, 0
            return self._milliseconds, self._counter, noise & 0xFFFF_FFFF


_clock = _Clock()
# a lock that another thread holds at the fork would never be let go in the child
os.register_at_fork(after_in_child=_clock.__init__)  # type: ignore[misc]


def new_id() -> UUID:
    """A fresh UUIDv7, above every other that this process has made."""
    milliseconds, counter, noise = _clock.tick()
    high, low = counter >> 30, counter & ((1 << 30) - 1)
    version, variant = 0x7, 0b10
    return UUID(
        int=milliseconds << 80 | version << 76 | high << 64 | variant << 62 | low << 32 | noise
    )


def first_id(moment: datetime, shift: timedelta = timedelta()) -> UUID:
    """At or below every UUIDv7 of that millisecond and later; `shift` may leave the calendar."""
    milliseconds = int((moment.timestamp() + shift.total_seconds()) * 1000)
    return UUID(int=min(max(milliseconds, 0), _MOST_MILLISECONDS) << 80)
