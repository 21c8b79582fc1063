"""What this process uses while it runs something: CPU time, memory at its largest."""

import contextlib
import os
import re
from pathlib import Path
from typing import Self

import psutil

from app.jobs.log_store import Usage

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")
#: written to clear_refs: the peak starts anew (proc(5), since Linux 4.0)
_RESET_PEAK = "5"


class Meter:
    """Between `start` and `read`. Memory is the kernel's own high-water mark where it can be reset
    (Linux), else the largest of what `look` saw, which is called once a second.
    """

    def __init__(self) -> None:
        self._cpu = 0.0
        self._seen = 0
        self._exact = False

    def start(self) -> Self:
        self._cpu = _cpu_seconds()
        with contextlib.suppress(OSError):
            _CLEAR.write_text(_RESET_PEAK)
            self._exact = True
        self.look()
        return self

    def look(self) -> None:
        if not self._exact:
            self._seen = max(self._seen, int(psutil.Process().memory_info().rss))

    def read(self) -> Usage:
        self.look()
        peak = _high_water() if self._exact else 0
        return Usage(
            cpu_seconds=round(_cpu_seconds() - self._cpu, 3),
            peak_memory_bytes=max(peak, self._seen),
        )


def _cpu_seconds() -> float:
    """Of all threads of this process, and of children that have ended (data loaders)."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _high_water() -> int:
    """Bytes resident at most since the last reset; 0 when the kernel does not say."""
    with contextlib.suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
        return int(found[1]) * 1024 if found else 0
    return 0
