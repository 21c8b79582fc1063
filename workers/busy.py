"""Which children of a worker have a task, told by themselves.

Celery's parent learns of it while it has a broker: of what a child takes up while that is away, it
hears when the connection is back. A file for each busy child in a folder, whose path travels in
the environment, reaches forked and spawned children alike.
"""

import os
import shutil
import tempfile
from pathlib import Path

import psutil

_VARIABLE = "RETORT_BUSY_FOLDER"
_PREFIX = "retort-busy-"


def prepare(boot_id: str) -> Path:
    """Called in the parent before it starts children. What parents that were killed have left is
    gone afterwards.
    """
    _sweep()
    path = Path(tempfile.gettempdir()) / f"{_PREFIX}{boot_id}-{os.getpid()}"
    os.environ[_VARIABLE] = str(path)
    return path


def end() -> None:
    """Called in the parent when its children have ended."""
    if folder := os.environ.get(_VARIABLE):
        shutil.rmtree(folder, ignore_errors=True)


def begin_task(**_: object) -> None:
    """In a child (Celery's signal `task_prerun`)."""
    if path := _own():
        path.parent.mkdir(mode=0o700, exist_ok=True)  # the first task, or the system tidied up
        path.touch()


def end_task(**_: object) -> None:
    """In a child (Celery's signal `task_postrun`)."""
    if path := _own():
        path.unlink(missing_ok=True)


def pids() -> set[int]:
    """Those that have a task, and those that were killed while they had one."""
    folder = os.environ.get(_VARIABLE)
    try:
        return {int(path.name) for path in Path(folder).iterdir()} if folder else set()
    except FileNotFoundError:
        return set()


def _sweep() -> None:
    """Folders whose parent lives no more, by the process id at the end of their name."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        pid = path.name.rpartition("-")[2]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(path, ignore_errors=True)  # another user's stays


def _own() -> Path | None:
    folder = os.environ.get(_VARIABLE)
    return Path(folder) / str(os.getpid()) if folder else None
