"""How a worker's parent tells its children that the worker is shutting down.

A file, because it reaches forked and spawned children alike, and a child whose interpreter lock
is held by C code finds it later; the path travels in the environment. In it stands the reading of
the machine's monotonic clock, which all processes share and nobody can set.
"""

import os
import tempfile
import time
from pathlib import Path

_VARIABLE = "RETORT_DRAIN_FILE"
#: a job that ends within this time after the signal is left to end
GRACE_SECONDS = 5.0


def prepare(boot_id: str) -> Path:
    """Called in the parent before it starts children."""
    path = Path(tempfile.gettempdir()) / f"retort-drain-{boot_id}"
    os.environ[_VARIABLE] = str(path)
    return path


def begin() -> None:
    """Called in the parent at SIGTERM."""
    if path := os.environ.get(_VARIABLE):
        fresh = Path(f"{path}.new")
        fresh.write_text(str(time.monotonic()))
        fresh.replace(path)


def end() -> None:
    if path := os.environ.get(_VARIABLE):
        Path(path).unlink(missing_ok=True)


def seconds_since_begin() -> float:
    """Since the worker was told to end; minus infinity while it was not."""
    path = os.environ.get(_VARIABLE)
    try:
        return time.monotonic() - float(Path(path).read_text()) if path else float("-inf")
    except FileNotFoundError:
        return float("-inf")


def is_draining() -> bool:
    """In a child: whether the grace since the signal is over."""
    return seconds_since_begin() > GRACE_SECONDS
