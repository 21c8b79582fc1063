"""Log files: one per process, bounded, the last run's kept beside."""

import logging
import shutil
import sys
from pathlib import Path

from app.core.log_fields import name_process
from app.core.settings import get_settings
from workers.json_lines import JsonFormatter

#: a log that grows beyond this is cut while its process writes on (bytes)
MAX_BYTES = 20 << 20


def start_logging() -> None:
    """The supervisor's own lines: `12:00:01 cpu died (signal 9); restarting (1)`."""
    handler = logging.StreamHandler(sys.stdout)
    name_process("supervisor")
    text = logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S")
    handler.setFormatter(JsonFormatter() if get_settings().log_format == "json" else text)
    logger = logging.getLogger("retort")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def rotate(folder: Path) -> None:
    """At a start: every `x.log` becomes `x.log.1`, so that a file holds one run."""
    for log in folder.glob("*.log"):
        if log.name != "supervisor.log":
            log.replace(previous(log))


def bound(folder: Path, max_bytes: int = MAX_BYTES) -> None:
    """Copy away and empty each log that grew too large; its process appends and so goes on.

    Lines written between the copy and the cut are lost.
    """
    for log in folder.glob("*.log"):
        if log.stat().st_size > max_bytes:
            shutil.copyfile(log, previous(log))
            with log.open("r+b") as file:
                file.truncate(0)


def previous(log: Path) -> Path:
    return log.with_name(f"{log.name}.1")
