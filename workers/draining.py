"""How a worker's parent tells its children that the worker is shutting down.

A file, because it reaches forked and spawned children alike, and a child whose interpreter lock
is held by C code finds it later; the path travels in the environment.
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
        Path(path).touch()


def end() -> None:
    if path := os.environ.get(_VARIABLE):
        Path(path).unlink(missing_ok=True)


def is_draining() -> bool:
    """In a child: whether the grace since the signal is over."""
    path = os.environ.get(_VARIABLE)
    if not path:
        return False
    try:
        since = Path(path).stat().st_mtime
    except FileNotFoundError:
        return False
    return time.time() - since > GRACE_SECONDS
