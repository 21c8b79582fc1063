"""What a serving process has taken and not answered, where its parent finds it when it has died.

A file in memory that both have open: the process writes without waking anybody, the parent reads
when it wonders whether the process hangs, and when it has died. Each state is written beside the
one before, then a header of few bytes that says where: who dies while writing leaves the last one.
"""

import os
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from workers.serving.protocol import Question

#: when it was written (`time.monotonic`, the same clock in every process), where, how many bytes
_HEADER = struct.Struct("dqq")
#: two places, far apart in a file that takes memory only where it was written
_PLACES = (64, 1 << 32)


@dataclass(frozen=True, kw_only=True)
class InHand:
    #: being computed: when the process dies, one of these may have killed it
    working: Sequence[Question] = ()
    #: these wait in it, for a model or for their turn, and had no part in it
    held: Sequence[Question] = ()

    def encode(self) -> bytes:
        return b"\n\n".join(
            b"\n".join(question.encode() for question in questions)
            for questions in (self.working, self.held)
        )

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        working, held = (
            tuple(Question.decode(line) for line in part.split(b"\n") if line)
            for part in raw.split(b"\n\n")
        )
        return cls(working=working, held=held)


class InHandFile:
    """One end of it; `descriptor` belongs to whoever made it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._writes = 0

    @classmethod
    def create(cls) -> Self:
        return cls(os.memfd_create("retort-in-hand"))

    def close(self) -> None:
        os.close(self.descriptor)

    def tell(self, in_hand: InHand) -> None:
        payload = in_hand.encode()
        place = _PLACES[self._writes % 2]
        self._writes += 1
        left = memoryview(payload)
        while left:
            left = left[os.pwrite(self.descriptor, left, place + len(payload) - len(left)) :]
        header = _HEADER.pack(time.monotonic(), place, len(payload))
        os.pwrite(self.descriptor, header, 0)

    def since(self) -> float | None:
        """When it last told anything, in seconds of `time.monotonic`; None: never yet."""
        head = self._head()
        return None if head is None else float(head[0])

    def read(self) -> InHand:
        """The newest state; nothing where none was told yet."""
        head = self._head()
        while head is not None:
            _, place, size = head
            raw = b""
            while len(raw) < size:
                raw += os.pread(self.descriptor, size - len(raw), place + len(raw))
            after = self._head()
            if after == head:  # its place is written to again only after the header has changed
                return InHand.decode(raw)
            head = after
        return InHand()

    def _head(self) -> tuple[float, int, int] | None:
        """None before the first: the state itself is written first, behind a header of zeros."""
        raw = os.pread(self.descriptor, _HEADER.size, 0)
        return _HEADER.unpack(raw) if len(raw) == _HEADER.size and any(raw) else None
